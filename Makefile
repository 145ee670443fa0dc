# make help says what there is. Nothing asks; what is missing beside Go is installed (deploy/install-deps.sh).

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
# Each package under test runs its own PostgreSQL and NATS server: more at once only wait for each other.
TESTPROCS ?= 2
TESTTIME  ?= 20m
FUZZTIME  ?= 30s
ARGS      ?=

GOLANGCI_VERSION := 2.15.0
GOLANGCI         := bin/golangci-lint-$(GOLANGCI_VERSION)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z\/]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: go
go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install it from https://go.dev/dl/ (go.mod names the version) and put it into PATH" >&2; exit 1; }

.PHONY: deps
deps: ## install what running and testing need beside Go: PostgreSQL's server binaries
	@deploy/install-deps.sh postgres

.PHONY: build
build: go ## build ./parley
	CGO_ENABLED=0 $(GO) build -trimpath -o parley ./cmd/parley

.PHONY: run
run: go deps build ## build and run Parley on this machine; ARGS="--http 127.0.0.1:9000" adds flags
	./parley serve $(ARGS)

.PHONY: test
test: go deps ## vet and run all tests
	@deploy/install-deps.sh node chromium
	@npm ci --prefix console/ui/web --ignore-scripts --no-audit --no-fund --silent
	$(GO) vet ./...
	$(GO) test -p $(TESTPROCS) -timeout $(TESTTIME) ./...

.PHONY: generate
generate: go ## bundle the console's scripts and styles anew (needs node; what it makes is committed)
	@deploy/install-deps.sh node
	$(GO) generate ./console/ui

.PHONY: test/race
test/race: go deps ## run all tests under the race detector
	@deploy/install-deps.sh cc node
	CGO_ENABLED=1 $(GO) test -race -p $(TESTPROCS) -timeout 30m ./...

.PHONY: test/long
test/long: go deps ## run 20,000 random programs against the model of a room, 500 with kills, 10,000 races of revocations, 2,000 revocations by the clock, a storm of 2,000 clients, and 10,000 posts through 20 kills
	$(GO) test -tags long -timeout 4h -run 'FollowTheModel' ./chat
	$(GO) test -tags long -timeout 60m -run 'HalfWayIn|HearNothing' ./internal/cluster
	$(GO) test -tags long -timeout 60m -run AStorm ./cmd/parley
	$(GO) test -tags long -timeout 60m -run EveryAcknowledged ./cmd/parley

.PHONY: test/fuzz
test/fuzz: go deps ## run each fuzz target for FUZZTIME
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's,/[^/]*:func , ,' | sort -u | \
	while read -r package target; do \
		echo "$$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package"; \
	done

.PHONY: bench
bench: go deps ## measure Parley beside a bare nats-server (docs/BENCHMARKS.md); ARGS="-short" is quick
	$(GO) run ./internal/bench $(ARGS)

.PHONY: bench/search
bench/search: go deps ## measure searches in a million messages (docs/BENCHMARKS.md)
	$(GO) test -run '^$$' -bench 'Search$$' -benchtime 520x -timeout 30m ./chat

# golangci-lint takes minutes to build, once. As a program of its own it can't raise the versions in go.mod.
$(GOLANGCI): | go
	GOBIN=$(CURDIR)/bin CGO_ENABLED=0 $(GO) install -trimpath github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_VERSION)
	mv bin/golangci-lint $@

.PHONY: lint
lint: $(GOLANGCI) ## run the linters of .golangci.yml
	$(GOLANGCI) run ./...

.PHONY: fmt
fmt: $(GOLANGCI) ## format all Go files
	$(GOLANGCI) fmt ./...

.PHONY: verify
verify: go ## check that files are formatted and go.mod is tidy
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); \
	[ -z "$$unformatted" ] || { echo "not formatted (make fmt): $$unformatted" >&2; exit 1; }
	$(GO) mod verify
	$(GO) mod tidy -diff

.PHONY: check
check: verify lint test ## all that must pass before a commit
