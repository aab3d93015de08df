# paysaga: every command of the README. `make help` lists them.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-builtin-rules

BUILD := $(CURDIR)/.build
TOOL  := go tool -modfile=tools.mod

export PAYSAGA_DEVSTACK := $(BUILD)/devstack

# What the devstack binary is made of. Its module compiles the Temporal server, so it is built only when this changes.
DEVSTACK_SOURCES = find devstack -name go.mod -o -name go.sum -o -name '*.go' ! -name '*_test.go'
DEVSTACK_HASH    = { go version; $(DEVSTACK_SOURCES) | LC_ALL=C sort | xargs cat; } | sha256sum | cut -d' ' -f1
DEVSTACK_FLAGS   = -tags disable_grpc_modules -ldflags "-s -w"

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

# ── run ──

.PHONY: dev
dev: build devstack ## build and start everything on this machine, with a demo merchant; ctrl-C stops it
	@exec $(BUILD)/paysaga dev

.PHONY: dev-time
dev-time: build devstack ## start everything, make a first payment, print how long that took, stop
	@$(BUILD)/paysaga dev --first-payment

# ── build ──

.PHONY: build
build: ## build the paysaga binary into .build/
	@go build -buildvcs=auto -o $(BUILD)/paysaga ./cmd/paysaga

.PHONY: devstack
devstack: ## build devstack (PostgreSQL + Temporal + Web UI for one machine): minutes, once
	@hash=$$($(DEVSTACK_HASH)); \
	if [ -x $(BUILD)/devstack ] && [ "$$(cat $(BUILD)/devstack.hash 2>/dev/null)" = "$$hash" ]; then exit 0; fi; \
	mkdir -p $(BUILD); cd devstack; \
	echo "devstack: fetching modules"; go mod download; \
	total=$$(go list $(DEVSTACK_FLAGS) -deps . | wc -l); \
	echo "devstack: compiling the Temporal server, $$total packages at most: this takes minutes, once"; \
	go build -v $(DEVSTACK_FLAGS) -o $(BUILD)/devstack . 2>&1 | awk -v total=$$total \
		'/^[A-Za-z0-9.\/_~-]+$$/ { if (++n % 100 == 0) { printf "devstack: %4d of %d compiled\n", n, total; fflush() } next } { print }'; \
	echo "$$hash" > $(BUILD)/devstack.hash; echo "devstack: built"

.PHONY: generate
generate: ## generate the API's stubs and the Go client from api/openapi.yaml
	go generate ./api/...

# ── prove ──

.PHONY: test
test: devstack ## run everything that has to pass, with the race detector where it isn't whole sweeps of sagas
	go test -race -shuffle=on -timeout 20m $$(go list ./... | grep -v -e /drill/cells$$ -e /drill/proof$$ -e /workflows$$ -e /cmd/paysaga$$ -e /drill/kill$$)
	@# Each of these is all of paysaga with a Temporal server of its own: one at a time.
	go test -race -shuffle=on -timeout 20m -p 1 ./workflows ./cmd/paysaga ./drill/kill
	go test -shuffle=on -timeout 20m -p 1 ./drill/proof ./drill/cells
	cd devstack && go test -tags disable_grpc_modules -timeout 5m ./...

.PHONY: check
check: $(BUILD)/workflowcheck ## format, vet, staticcheck, workflowcheck, layers: the quick gate before a commit
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt these: $$unformatted"; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...
	go vet -vettool=$(BUILD)/workflowcheck ./workflows
	go test -run 'Layer' .
	@if [ -x $(BUILD)/devstack ]; then cd devstack && go vet -tags disable_grpc_modules ./...; fi # unbuilt, it takes minutes

$(BUILD)/workflowcheck: tools.mod tools.sum
	@go build -modfile=tools.mod -o $@ go.temporal.io/sdk/contrib/tools/workflowcheck

.PHONY: histories
histories: devstack ## record a history, from a real server, of each path of the sagas that has none
	go test ./workflows -run TestOnRealParts -count=1 -timeout 15m -args -record

.PHONY: bench-payments
bench-payments: build devstack ## payments per second against the floors that Temporal sets, on this machine
	$(BUILD)/paysaga bench payments

.PHONY: bench-ledger
bench-ledger: build ## journals per second, on a PostgreSQL of its own with fsync on, up to ten million journals: half an hour
	$(BUILD)/paysaga bench ledger --json bench/results/ledger.json

.PHONY: campaign-kill
campaign-kill: build devstack ## 200 kill -9 of workers, API and devstack under load; up to an hour
	@go run ./drill/kill/campaign

.PHONY: campaign-ledger
campaign-ledger: ## a million random Steps and reads against the committer, under kills of connections, processes, PostgreSQL; up to an hour
	@go run -trimpath -buildvcs=false ./drill/ledger/campaign

.PHONY: demo-rebate
demo-rebate: devstack ## the rebates' whole story of 1,000 orders on devstack, and where every cent went; ORDERS=… (1000)
	@go test ./drill/story -count=1 -timeout 30m -v -args -orders $(ORDERS) | grep -v -E '^(=== |--- PASS|PASS$$)'

.PHONY: demo-channels
demo-channels: devstack ## one payment and one partial refund through every channel's fake, side by side, with their books agreeing
	@go test ./drill/tour -run TestEveryChannel -count=1 -timeout 15m -v | grep -v -E '^(=== |--- PASS|PASS$$)'

.PHONY: test-oracles
test-oracles: ## the channels' independent clients (npm, Node 20) against our fakes and adapters; part of make test, and here their absence fails
	@for file in $$(grep -rlE --include='*_test.go' 'oracletest\.Open\(' channels) webhook/node_test.go; do \
		tests=$$(sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p' $$file | paste -sd '|'); \
		PAYSAGA_ORACLES_REQUIRED=1 go test -count=1 -timeout 20m ./$$(dirname $$file) -run "^($${tests:-.*})$$" -v | grep -E '^(---|\s+---|ok|FAIL|\s+[a-z_]+_test\.go)'; \
	done

.PHONY: proofs
proofs: ## write what the conformance suite proves of each channel into its folder, and the table into docs/channels.md
	PAYSAGA_PROOFS=write go test -count=1 $$(grep -rl --include='*_test.go' 'channeltest\.Run(' channels | xargs -n1 dirname | sort -u | sed 's|^|./|')
	PAYSAGA_PROOFS=write go test -count=1 ./channels/channeltest

.PHONY: campaign-fuzz
campaign-fuzz: ## every fuzz target of the repository, ten minutes each, as many at once as there are cores; MINUTES_EACH=… (10); goes on where it stopped
	@go run ./drill/fuzz/campaign -minutes $(MINUTES_EACH) -most $(MINUTES)

.PHONY: bench-statements
bench-statements: build ## lines per second of every parser of statements, ten million of WeChat's, beside encoding/csv on the same bytes
	@$(BUILD)/paysaga bench statements --json bench/results/statements.json

.PHONY: campaign-rebate
campaign-rebate: ## 100,000 random sequences of paying, refunding, settling, taking back, closing users, judged after every act; goes on where it stopped
	@go run -trimpath -buildvcs=false ./drill/rebates/campaign

.PHONY: demo-chaos
demo-chaos: devstack ## kill the workers again and again while 100 payments and refunds run: all of them finish, once
	@go run ./drill/kill/chaos

SEED    ?= 2026
ORDERS  ?= 1000
MINUTES ?= 55
MINUTES_EACH ?= 10

.PHONY: campaign-drill
campaign-drill: devstack ## every fault at every boundary of every activity, five times; SEED=…, MINUTES=… (55); goes on where it stopped
	@go build -trimpath -buildvcs=false -o $(BUILD)/campaign-drill ./drill/cells/campaign
	@$(BUILD)/campaign-drill -seed $(SEED) -minutes $(MINUTES)

.PHONY: clean
clean: ## remove what was built; the state in .paysaga stays
	rm -rf $(BUILD)
