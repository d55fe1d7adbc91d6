# The versions of the tools that the Makefile fetches. One place, so that a laptop and CI use the same ones.
# Each is built by `go install` from the module proxy into .tools/NAME@VERSION/: a new version here is a new
# folder there, so nothing stale is ever run.

GOLANGCI_LINT_VERSION := v2.15.0
ACTIONLINT_VERSION    := v1.7.12
GORELEASER_VERSION    := v2.16.0
NFPM_VERSION          := v2.44.0
