# annbench: `make report` and `make test` are all that a fresh machine needs; `make help` lists the rest.
#
# FAISS_PREFIX=dir       use this Faiss (with its C API) instead of building one
# FAISS_OPT_LEVEL=level  compile Faiss for generic, avx2 or avx512 (the best that the processor has)
# FAISS_FROM=debian      build Debian's Faiss 1.7.3, not 1.12.0 out of a crate
# ONNXRUNTIME_LIB=file   use this libonnxruntime instead of fetching one
# IMAGES=dir             report on these images instead of drawn ones
# TUNE=10m               make report: search for the best setting for so long, instead of a sweep
# LISTEN=address:port    make serve: answer there; others can reach it, so it asks for a token
# INTERLEAVE=A,B         make serve: compare two indexes on /shop by what people click, such as forest,hnsw
# JOBS=n                 compile Faiss with n jobs (cores, or fewer where memory is short)
# PHOTOS=dir             make train: photographs beside the drawn boards; scripts/train.sh lists the rest
# EXTERNAL="annoy ..."  make test-external: these families
# RACE="./serve"        make race: these packages
# FUZZTIME=1m            fuzz each target for this long

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help deps env build dist report serve train test test-train test-pgvector test-slurm test-external test-engines engines race fuzz bench bench-forest gpu-check fmt clean distclean \
        check check-format check-vet check-lint check-dead check-tidy check-arrows check-shell check-vuln check-measure

SHELL    := /bin/bash
FUZZTIME ?= 1m
EXTERNAL ?= annoy nmslib-hnsw hnswlib scann usearch voyager rabitq
TOOL     := go tool -modfile=tools/go.mod
# The packages without cgo, where the race detector is affordable.
PURE     := ./indexes/vec ./indexes/rpforest ./indexes/exact ./indexes/hnsw ./bench/... ./embedder/catalog/... ./reports/... ./serve/...

# The results folder of a report, below results/.
REPORT = $(if $(TUNE),tune-)$(if $(IMAGES),$$(basename "$(IMAGES)"),default)

# With the native parts: what `make deps` wrote down for the compiler and for the run, TAGS among it.
NATIVE := . ./.deps/env.sh &&
# One thread a library: a benchmark compares kernels, not schedulers.
SINGLE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

export FAISS_PREFIX FAISS_OPT_LEVEL FAISS_FROM ONNXRUNTIME_LIB JOBS

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

deps: ## fetch and build Faiss and ONNX Runtime into .deps/, once
	@scripts/deps.sh

env: ## print what go needs when called by hand: eval "$(make -s env)"
	@scripts/deps.sh env

build: deps ## compile bin/annbench with every index family
	@$(NATIVE) go build -tags "$$TAGS" -o bin/annbench ./cmd/annbench

dist: ## pack one archive into dist/ that runs without a compiler, Go or network
	@scripts/dist.sh

report: build ## measure the index families and write a report: of IMAGES=dir, or of drawn garments; TUNE=10m searches for the best setting
ifdef TUNE
	@$(NATIVE) bin/annbench tune $(if $(IMAGES),"$(IMAGES)") --keep-indexes --budget "$(TUNE)" --out "results/$(REPORT)"
else ifdef IMAGES
	@$(NATIVE) bin/annbench quickstart --keep-indexes --images "$(IMAGES)" --out "results/$(REPORT)"
else
	@$(NATIVE) bin/annbench quickstart --keep-indexes --out results/default
endif

serve: report ## the same, and then visual search over it in the browser; LISTEN=address:port, INTERLEAVE=A,B
	@$(NATIVE) bin/annbench serve "results/$(REPORT)" $(if $(LISTEN),--listen "$(LISTEN)") $(if $(INTERLEAVE),--interleave "$(INTERLEAVE)")

train: build ## train a model on drawn boards, and on PHOTOS=dir; export it, and write its report card
	@$(NATIVE) scripts/train.sh

test: deps ## run every test, with the native parts and then without cgo, and tell what was left out
	@echo "== tests with Faiss and ONNX Runtime"
	@$(NATIVE) go run ./scripts/gotest -vet=off -timeout 30m -tags "$$TAGS" ./...
	@echo "== tests of what is left without cgo"
	@CGO_ENABLED=0 go build ./...
	@CGO_ENABLED=0 go run ./scripts/gotest -vet=off -timeout 30m ./...

test-train: deps ## run one tiny epoch of the training recipe, export it and run it in Go; needs python3-torch
	@$(NATIVE) ANNBENCH_TORCH=required go test -tags "$$TAGS" -count=1 -v -run TestTrainingRecipe ./embedder

engines: ## build the Weaviate server, out of a module of its own, once
	@scripts/engines.sh

test-engines: deps engines build test-pgvector ## run the tests of families in servers, on real ones: Weaviate on one node and three, pgvector
	@$(NATIVE) ANNBENCH_WEAVIATE=$(CURDIR)/.deps/weaviate/bin/weaviate-server scripts/test-weaviate.sh
	@$(NATIVE) ANNBENCH_ENGINES=required ANNBENCH_WEAVIATE=$(CURDIR)/.deps/weaviate/bin/weaviate-server \
	  go test -tags "$$TAGS" -count=1 -timeout 20m -run 'Weaviate|Engines|NodeLost' ./cmd/annbench

test-slurm: deps ## run a sweep on Debian's Slurm, on two nodes that are this machine; installs it, as root
	@$(NATIVE) scripts/test-slurm.sh

test-external: build ## install external families (EXTERNAL="annoy ..."; two are compiled, which takes minutes once) and test them
	@$(NATIVE) bin/annbench families install $(EXTERNAL)
	@$(NATIVE) bin/annbench families check $(EXTERNAL)

test-pgvector: ## run the tests of the families in PostgreSQL: on PGlite (npm), or on ANNBENCH_TEST_PGVECTOR=host:port/database
	@scripts/test-pgvector.sh

race: deps ## run the tests of the packages without cgo under the race detector; RACE="./serve ./bench" takes these alone
	@$(NATIVE) go run ./scripts/gotest -race -timeout 30m $(or $(RACE),$(PURE))

fuzz: deps ## fuzz every target for FUZZTIME
	@$(NATIVE) set -e; for pkg in $$(go list -tags "$$TAGS" ./...); do \
	  for target in $$(go test -tags "$$TAGS" -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; \
	    go test -tags "$$TAGS" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$pkg"; \
	  done; \
	done

check-measure: build ## check the harness itself on this machine: overhead, memory, exact search, intervals
	@$(NATIVE) bin/annbench selfcheck

gpu-check: build ## measure embedding on this machine's GPUs, in a few minutes; see docs/howto/gpu.md
	@$(NATIVE) go build -o bin/gpucheck ./scripts/gpucheck
	@bin/gpucheck

bench: deps ## run the Go benchmarks, one thread a library
	@$(NATIVE) set -e; set -- $$(go list -tags "$$TAGS" ./indexes/...) ./bench/pipeline; n=$$#; i=0; for pkg; do i=$$((i+1)); \
	  echo "== package $$i of $$n: $$pkg" >&2; \
	  $(SINGLE) go test -tags "$$TAGS" -run '^$$' -bench . -benchmem -v "$$pkg"; \
	done

bench-forest: ## run the forest's benchmarks: kernels, exact search, builds, searches with recall
	@CGO_ENABLED=0 GOMAXPROCS=2 go test -run '^$$' -bench . ./indexes/vec ./indexes/rpforest ./indexes/exact ./indexes/hnsw

check: check-format check-vet check-lint check-dead check-tidy check-arrows check-shell check-vuln ## format, vet, staticcheck, unused functions, tidy, import arrows, shell syntax, known holes

check-format:
	@bad=$$($(TOOL) gofumpt -l .) && if [ -n "$$bad" ]; then echo "not formatted (run \`make fmt\`):"; echo "$$bad"; exit 1; fi

check-vet: deps
	@$(NATIVE) go vet -tags "$$TAGS" ./...
	@CGO_ENABLED=0 go vet ./...

check-lint: deps
	@$(NATIVE) $(TOOL) staticcheck -tags "$$TAGS" ./...
	@CGO_ENABLED=0 $(TOOL) staticcheck ./...

# Tests count as users, so that a library's function that only a test calls is not a mistake.
check-dead: deps
	@$(NATIVE) dead=$$($(TOOL) deadcode -test -tags "$$TAGS" ./...) && if [ -n "$$dead" ]; then echo "nobody calls:"; echo "$$dead"; exit 1; fi

check-tidy:
	@go mod tidy -diff
	@cd tools && go mod tidy -diff

check-arrows:
	@go test -run 'Arrows|NoCgo' .

check-shell:
	@for script in scripts/*.sh scripts/dist/annbench .ci/run; do bash -n "$$script" || exit 1; done

check-vuln: deps
	@$(NATIVE) scripts/check-vuln.sh

fmt: ## format the Go files
	@$(TOOL) gofumpt -w .

clean: ## remove bin/ and Go's cached test results; measured results stay
	@rm -rf bin
	@go clean -testcache

distclean: clean ## remove .deps/ as well
	@rm -rf .deps
