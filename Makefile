# What a person needs is Go and make. Everything else is fetched by the target that needs it, at a pinned version,
# into .tools/ (which `make distclean` removes).

include tools.mk

GO       ?= go
SHELL    := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

PREFIX   ?= /usr/local
DESTDIR  ?=
BINDIR   ?= $(PREFIX)/bin

# The version is the tag; a checkout without tags shows its commit, a tarball shows "dev".
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -buildid= -X main.version=$(VERSION)
BIN      := bin/crossrole$(shell $(GO) env GOEXE)

GOLANGCI := .tools/golangci-lint@$(GOLANGCI_LINT_VERSION)/golangci-lint

# The race detector is cgo, so on Linux it needs a C compiler. Without one the tests still run, and say so.
HAVE_CC  := $(shell command -v "$$($(GO) env CC | cut -d' ' -f1)" 2>/dev/null)
RACE     ?= $(if $(HAVE_CC),-race,)

.DEFAULT_GOAL := build

.PHONY: help
help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build bin/crossrole
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/crossrole

.PHONY: test
test: ## run every test with the race detector (no network, no AWS account)
ifeq ($(RACE),)
	@echo "make test: no C compiler, so without the race detector" >&2; test "$${CI:-}" != true
endif
	$(if $(RACE),CGO_ENABLED=1 )$(GO) test $(RACE) ./...

.PHONY: lint
lint: vet tidy-check golangci shellcheck ## every static check

.PHONY: vet
vet: ## go vet, for the three systems
	$(GO) vet ./...
	CGO_ENABLED=0 GOOS=windows $(GO) vet ./...
	CGO_ENABLED=0 GOOS=darwin $(GO) vet ./...

.PHONY: tidy-check
tidy-check: ## go.mod and go.sum are what `go mod tidy` would write
	$(GO) mod tidy -diff

.PHONY: golangci
golangci: $(GOLANGCI) ## golangci-lint and gofumpt, as .golangci.yml says
	$(GOLANGCI) run ./...
	$(GOLANGCI) fmt --diff

.PHONY: fmt
fmt: $(GOLANGCI) ## format the code
	$(GOLANGCI) fmt

# CI has shellcheck (.ci/run installs it). On a laptop it is a courtesy.
.PHONY: shellcheck
shellcheck: ## check our own shell scripts
	@if command -v shellcheck >/dev/null; then echo shellcheck .ci/*; shellcheck .ci/*; \
	elif test "$${CI:-}" = true; then echo "make lint: shellcheck is missing" >&2; exit 1; \
	else echo "make lint: shellcheck is not installed; skipping the shell scripts" >&2; fi

.PHONY: bench
bench: bench-start ## run every benchmark: whole processes first, then the Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-start
bench-start: ## what a start costs, as whole processes, beside a hello-world and the AWS CLI
	$(GO) run ./internal/tools/startbench

.PHONY: gate
gate: ## fail when the warm path costs more than docs/performance.md promises
	$(GO) run ./internal/tools/startbench -gate

SOAK ?= 60s
.PHONY: soak
soak: ## crowds of clients at the cache, the endpoint and `serve` for SOAK (60s) each, sessions expiring every few seconds
	CROSSROLE_SOAK=$(SOAK) $(GO) test -count=1 -timeout 30m -run 'Soak$$' -v ./cmd/crossrole ./internal/credserver

FUZZTIME ?= 20s
.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (20s) each
	.ci/fuzz $(FUZZTIME)

.PHONY: install
install: build ## install the binary (PREFIX, DESTDIR)
	install -d '$(DESTDIR)$(BINDIR)'
	install -m 0755 $(BIN) '$(DESTDIR)$(BINDIR)/crossrole'

.PHONY: uninstall
uninstall: ## remove what `make install` installed (the same PREFIX and DESTDIR)
	rm -f '$(DESTDIR)$(BINDIR)/crossrole'

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist coverage.out

.PHONY: distclean
distclean: clean ## and the fetched tools too
	rm -rf .tools

# Tools are built for this machine, whatever GOOS the person has set. Their own folder is removed first and the
# binary moved in last, so that an interrupted build leaves nothing that looks finished.
define go_tool
	@echo "building $(1)@$(2) (once)"
	rm -rf '$(dir $@)' '$(dir $@).part'
	GOOS= GOARCH= GOFLAGS= GOBIN='$(CURDIR)/$(dir $@).part' $(GO) install $(1)@$(2)
	mkdir -p '$(dir $@)' && mv '$(dir $@).part/'* '$(dir $@)' && rmdir '$(dir $@).part'
endef

$(GOLANGCI):
	$(call go_tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION))
