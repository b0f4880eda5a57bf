# Targets are listed by `make help`.
GO ?= go
BUILD := build
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
DEMO := e2e/inventory.yaml
KUBECTL := $(BUILD)/artifacts/kubectl --kubeconfig $(BUILD)/demo.kubeconfig

.DEFAULT_GOAL := help
.PHONY: help build test test-unit test-race test-lab lint generate tools artifacts demo demo-down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/provision, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/provision ./cmd/provision

test: lint test-unit test-race test-lab ## Run everything: needs root on Debian 12, installs what it needs with apt

test-unit: ## Run the tests that need no root, no network and no lab
	$(GO) vet ./...
	$(GO) test ./...

test-race: tools ## Run the tests of what runs concurrently, with the race detector
	$(GO) test -race ./pkg/remote/... ./pkg/converge/... ./pkg/cluster/... ./pkg/doctor/... ./pkg/report/... ./cmd/...

test-lab: tools artifacts build ## Run the tests on real hosts, as root
	cd e2e/toolchain && $(GO) vet ./... && $(GO) test ./...
	$(GO) test -tags lab -count 1 -p 1 -timeout 40m -skip '^TestKill_' ./pkg/remote/... ./pkg/report/... ./e2e/...
	$(GO) test -tags lab -count 1 -timeout 10m -v -run '^TestKill_' ./e2e # it prints its figures

lint: tools ## Run the linters
	$(GO) tool golangci-lint run ./...
	$(GO) tool golangci-lint fmt --diff ./...
	shellcheck -s sh pkg/*/*.sh

generate: ## Write what is generated: the inventory and command references
	$(GO) generate ./...
	$(GO) test ./cmd/provision -run Reference -update

tools: ## Install with apt what tests and the lab need
	@e2e/install-tools

artifacts: tools ## Build Kubernetes and the rest into the cache, and link build/artifacts to them
	@mkdir -p $(BUILD)
	@dir=$$($(GO) run -C e2e/toolchain . | tail -n 1) && ln -sfn "$$dir" $(BUILD)/artifacts && echo "artifacts: $$dir"

demo: artifacts build ## Boot the lab, turn it into a cluster and show it, as root
	$(GO) run ./e2e/lab down
	$(GO) run ./e2e/lab up
	bin/provision -i $(DEMO)
	bin/provision kubeconfig -i $(DEMO) -o $(BUILD)/demo.kubeconfig
	$(KUBECTL) get nodes,pods --all-namespaces -o wide

demo-down: ## Take the demo's hosts down
	$(GO) run ./e2e/lab down

clean: ## Remove what was built here; the cache outside the checkout stays
	rm -rf bin $(BUILD)
