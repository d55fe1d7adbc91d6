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
MANDIR   ?= $(PREFIX)/share/man
DATADIR  ?= $(PREFIX)/share

# The version is the tag; a checkout without tags shows its commit, a tarball shows "dev".
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -buildid= -X main.version=$(VERSION)
BUILD    := $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
BIN      := bin/crossrole$(shell $(GO) env GOEXE)

GOLANGCI   := .tools/golangci-lint@$(GOLANGCI_LINT_VERSION)/golangci-lint
ACTIONLINT := .tools/actionlint@$(ACTIONLINT_VERSION)/actionlint
GORELEASER := .tools/goreleaser@$(GORELEASER_VERSION)/goreleaser
NFPM       := .tools/nfpm@$(NFPM_VERSION)/nfpm

# The race detector is cgo, so on Linux it needs a C compiler. Without one the tests still run, and say so.
HAVE_CC  := $(shell command -v "$$($(GO) env CC | cut -d' ' -f1)" 2>/dev/null)
RACE     ?= $(if $(HAVE_CC),-race,)

# Shows what `go test -json` says as `go test` would, and how many tests there were.
TESTCOUNT := $(GO) run ./internal/tools/testcount

.DEFAULT_GOAL := build

.PHONY: help
help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build bin/crossrole
	CGO_ENABLED=0 $(BUILD) -o $(BIN) ./cmd/crossrole

.PHONY: test
test: ## run every test with the race detector (no network, no AWS account)
ifeq ($(RACE),)
	@echo "make test: no C compiler, so without the race detector" >&2; test "$${CI:-}" != true
endif
	$(if $(RACE),CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 )$(GO) test -json $(RACE) -timeout 20m ./... | $(TESTCOUNT)

# Its own run, without the race detector: what the tests of one room run of another counts, too.
.PHONY: cover
cover: ## show the coverage of every room; under 85 % fails
	$(GO) test -coverpkg=./internal/... -coverprofile=coverage.out ./internal/... ./cmd/...
	.ci/coverage coverage.out 85

.PHONY: lint
lint: vet tidy-check golangci docs-check licences actionlint shellcheck jenkinsfile ## every static check

.PHONY: vet
vet: ## go vet, for the three systems and for 32 bits
	$(GO) vet ./...
	CGO_ENABLED=0 GOOS=windows $(GO) vet ./...
	CGO_ENABLED=0 GOOS=darwin $(GO) vet ./...
	CGO_ENABLED=0 GOARCH=386 $(GO) vet ./...

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

.PHONY: actionlint
actionlint: $(ACTIONLINT) ## check the workflows, the action and the GitHub example
	$(ACTIONLINT) .github/workflows/*.yml examples/ci/github.yml

# CI has shellcheck (.ci/run installs it). On a laptop it is a courtesy.
SCRIPTS := $(wildcard .ci/*) .github/action/assume
.PHONY: shellcheck
shellcheck: ## check our own shell scripts
	@if command -v shellcheck >/dev/null; then echo shellcheck $(SCRIPTS); shellcheck $(SCRIPTS); \
	elif test "$${CI:-}" = true; then echo "make lint: shellcheck is missing" >&2; exit 1; \
	else echo "make lint: shellcheck is not installed; skipping the shell scripts" >&2; fi

.PHONY: jenkinsfile
jenkinsfile: ## parse the Jenkins example
	@if command -v groovy >/dev/null; then .ci/jenkinsfile examples/ci/Jenkinsfile; \
	elif test "$${CI:-}" = true; then echo "make lint: groovy is missing" >&2; exit 1; \
	else echo "make lint: groovy is not installed; skipping the Jenkinsfile" >&2; fi

node_modules := internal/interop/node/node_modules/.package-lock.json

$(node_modules): internal/interop/node/package-lock.json
	cd internal/interop/node && npm ci --no-audit --no-fund
	@touch $@

.PHONY: interop
interop: $(node_modules) ## run real shells, the AWS CLI and SDKs against the built program
	$(GO) test -json -tags interop -count=1 -timeout 20m ./internal/interop/ | $(TESTCOUNT)
	PATH="$(CURDIR)/internal/interop/node/node_modules/@nushell/linux-x64/bin:$$PATH" \
		$(GO) test -json -tags interop -count=1 -run 'Shell|Nushell|Fish|Children|Function|Prompt|Completion|Eval|Dotenv' ./internal/output ./cmd/crossrole | $(TESTCOUNT)

.PHONY: demo
demo: build ## assume a role across two accounts that this machine plays
	CGO_ENABLED=0 $(GO) build -o bin/ ./internal/tools/caller
	@$(GO) run ./internal/tools/demo bin examples/cross-account

.PHONY: bench
bench: bench-start bench-each ## run every benchmark: whole processes first, then the Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-each
bench-each: ## many accounts against a local STS of 50 ms: time, connections, memory, CPU beside the SDK's bare call
	$(GO) run ./internal/tools/eachbench

.PHONY: bench-start
bench-start: ## what a start costs, as whole processes, beside a hello-world and the AWS CLI
	$(GO) run ./internal/tools/startbench

.PHONY: gate
gate: ## fail when the warm path costs more than docs/performance.md promises
	$(GO) run ./internal/tools/startbench -gate

# Tests try one in eleven of them. Linux on amd64 only: elsewhere there is nothing to run.
.PHONY: faults
faults: ## break every call on a file of every command, in each of several ways, and kill at each
	CROSSROLE_FAULTS=all $(GO) test -count=1 -timeout 20m -run '^TestFaults$$' -v ./cmd/crossrole

SOAK ?= 60s
.PHONY: soak
soak: ## crowds of clients at the cache, the endpoint and `serve` for SOAK (60s) each, sessions expiring every few seconds
	CROSSROLE_SOAK=$(SOAK) $(GO) test -count=1 -timeout 30m -run 'Soak$$' -v ./cmd/crossrole ./internal/credserver

FUZZTIME ?= 20s
.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (20s) each
	.ci/fuzz $(FUZZTIME)

# The completions go where bash, zsh and fish look for them under any prefix.
COMPLETIONS := bash-completion/completions/crossrole zsh/site-functions/_crossrole fish/vendor_completions.d/crossrole.fish

.PHONY: install
install: build release-completions ## install the binary, man pages and completions (PREFIX, DESTDIR)
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' $(foreach f,$(dir $(COMPLETIONS)),'$(DESTDIR)$(DATADIR)/$(f)')
	install -m 0755 $(BIN) '$(DESTDIR)$(BINDIR)/crossrole'
	install -m 0644 docs/man/*.1 '$(DESTDIR)$(MANDIR)/man1'
	install -m 0644 bin/release/completions/crossrole.bash '$(DESTDIR)$(DATADIR)/bash-completion/completions/crossrole'
	install -m 0644 bin/release/completions/_crossrole '$(DESTDIR)$(DATADIR)/zsh/site-functions/_crossrole'
	install -m 0644 bin/release/completions/crossrole.fish '$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/crossrole.fish'

.PHONY: uninstall
uninstall: ## remove what `make install` installed (the same PREFIX and DESTDIR)
	rm -f '$(DESTDIR)$(BINDIR)/crossrole' $(patsubst docs/man/%,'$(DESTDIR)$(MANDIR)/man1/%',$(wildcard docs/man/*.1)) \
	  $(foreach f,$(COMPLETIONS),'$(DESTDIR)$(DATADIR)/$(f)')

.PHONY: docs
docs: ## write docs/reference, docs/man and (on Linux) docs/terminal.svg from the code
	$(GO) test -tags docs ./cmd/crossrole -run '^Test(Reference|Picture)IsCurrent$$' -count=1 -write-docs

.PHONY: docs-check
docs-check: ## docs/reference, docs/man and (on Linux) docs/terminal.svg are what the code says
	$(GO) test -tags docs ./cmd/crossrole -run '^Test(Reference|Picture)IsCurrent$$' -count=1

.PHONY: licences
licences: ## everything that is linked may be shipped
	$(GO) run ./internal/tools/deps licences

.PHONY: release-completions
release-completions: build
	mkdir -p bin/release/completions
	$(BIN) completion bash > bin/release/completions/crossrole.bash
	$(BIN) completion zsh > bin/release/completions/_crossrole
	$(BIN) completion fish > bin/release/completions/crossrole.fish
	$(BIN) completion powershell > bin/release/completions/crossrole.ps1

# What the release needs beside the binaries. It is built for this machine, whatever is being released.
.PHONY: release-files
release-files: release-completions
	CGO_ENABLED=0 $(GO) build -o bin/release/crossrole-deps ./internal/tools/deps
	CGO_ENABLED=0 $(GO) build -o bin/release/nix-hash ./internal/tools/nix-hash
	bin/release/crossrole-deps notices > bin/release/THIRD_PARTY_NOTICES

# In a checkout without a remote GoReleaser would take no date and no commit from git, and no two snapshots were alike.
RELEASE_REMOTE = $(if $(shell git remote 2>/dev/null),,GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url \
	GIT_CONFIG_VALUE_0=https://github.com/$${RELEASE_OWNER:-OWNER}/crossrole)

.PHONY: release-snapshot
release-snapshot: $(GORELEASER) ## build the whole release into dist/, offline, pushing nothing
	$(RELEASE_REMOTE) PATH="$$PATH:$(CURDIR)/bin/release" $(GORELEASER) release --snapshot --clean --skip=sign
	.ci/release-check dist

.PHONY: release
release: $(GORELEASER) ## make the release of the tag that is checked out (CI does; needs RELEASE_OWNER and a token)
	@test -n "$${RELEASE_OWNER:-}" || { echo "make release: RELEASE_OWNER says who publishes" >&2; exit 2; }
	PATH="$$PATH:$(CURDIR)/bin/release" $(GORELEASER) release --clean

.PHONY: package-test
package-test: $(NFPM) ## build the .deb, install it, run it, remove it (as root; Debian)
	.ci/package-test $(NFPM)

.PHONY: windows-test
windows-test: ## run the tests and the program for Windows under Wine (Debian: wine64), where it is installed
	.ci/windows-test

.PHONY: reproducible
reproducible: ## build twice, in two folders, and compare the bytes
	.ci/reproducible

# The size that a person downloads and a shell loads.
MAX_SIZE ?= 15000000
.PHONY: size
size: build ## the stripped binary is under 15 MB
	@size=$$(wc -c < $(BIN)); echo "$(BIN): $$size bytes (at most $(MAX_SIZE))"; test "$$size" -le $(MAX_SIZE)

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

$(ACTIONLINT):
	$(call go_tool,github.com/rhysd/actionlint/cmd/actionlint,$(ACTIONLINT_VERSION))

$(GORELEASER):
	$(call go_tool,github.com/goreleaser/goreleaser/v2,$(GORELEASER_VERSION))

$(NFPM):
	$(call go_tool,github.com/goreleaser/nfpm/v2/cmd/nfpm,$(NFPM_VERSION))

$(GOLANGCI):
	$(call go_tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION))
