# The only entry. `make` prints the targets with the times that were measured.
PYTHON  ?= $(shell command -v python3.11 || command -v python3)
PROFILE ?= quick
ONLY    ?=
JOBS    ?=
BASE    ?=
FIG     ?=
DATA    ?=
ACCEPT  ?=
HOSPITAL ?=
LABEL   ?=
AT      ?=
GROUPS  ?=
VENV    := .venv/bin
BFL     := $(VENV)/python -m bfl_stpc

# Every notebook and role is a process of its own: without compiled bytecode, each would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE

# make sets a misspelt variable without a word; here it is refused.
KNOWN   := PYTHON PROFILE ONLY JOBS BASE FIG DATA ACCEPT HOSPITAL LABEL AT GROUPS
SPACE   := $(subst ,, )
GIVEN   := $(subst \$(SPACE),_,$(MAKEOVERRIDES)) # a value may hold several words
UNKNOWN := $(filter-out $(KNOWN),$(foreach v,$(GIVEN),$(firstword $(subst =, ,$(v)))))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown parameter $(UNKNOWN): choose among $(KNOWN))
endif
ifeq ($(filter $(PROFILE),smoke quick paper),)
$(error unknown profile $(PROFILE): choose smoke, quick or paper)
endif

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-study doctor reproduce table verify diff explain paper-assets archive figures lab test test-fast bench book check strip lock contracts contract-tools artifact reference clean distclean

help:  ## print this list
	@$(PYTHON) tools/help.py

setup:  ## install the locked environment into .venv (GROUPS="dev book ..." adds optional groups)
	@$(PYTHON) tools/setup_env.py $(GROUPS)

setup-dev:
	@$(PYTHON) tools/setup_env.py dev distributed real

setup-study: # what the notebooks run on: notebook 07 places roles by Ray, notebook 11 reads packaged tables
	@$(PYTHON) tools/setup_env.py distributed real

doctor: setup  ## check this machine: a kernel, a TFF step, an HE round trip, an EVM transaction
	@$(BFL) doctor

reproduce: setup-study  ## run every notebook that is out of date (PROFILE=, ONLY="00 01", JOBS=2), or study your own (DATA=my.csv)
	@$(BFL) reproduce --profile $(PROFILE) --jobs "$(JOBS)" --data "$(DATA)" $(if $(ACCEPT),--accept) $(ONLY)

table: setup  ## propose a mapping of your own table and check it (DATA=my.csv, HOSPITAL=, LABEL=: columns); see docs/YOUR_DATA.md
	@$(BFL) table "$(DATA)" --hospital "$(HOSPITAL)" --label "$(LABEL)" --at "$(AT)"

verify: setup  ## hold every claim beside what was measured, and every result beside the committed reference
	@$(BFL) verify --profile $(PROFILE)

diff: setup  ## changed numbers and both pictures of changed figures (BASE=git revision): build/diff/index.html
	@$(BFL) diff --profile $(PROFILE) --base "$(BASE)"

# What goes out into the world is of the paper profile, unless another one is asked for.
explain paper-assets archive: PROFILE := paper

explain: setup  ## where a figure comes from: parameters, seeds, data, hashes, command (FIG=fig03)
	@$(BFL) explain --profile $(PROFILE) --figure "$(FIG)"

paper-assets: setup  ## figures, tables, numbers and captions for a paper, in build/paper-assets
	@$(BFL) paper-assets --profile $(PROFILE)

archive: ## sources, results and figures as an RO-Crate of at most 50 MB: build/archive.zip
	@$(PYTHON) tools/setup_env.py book
	@$(BFL) archive --profile $(PROFILE)

figures: setup  ## draw all figures again from their recorded data
	@$(BFL) figures --profile $(PROFILE)

book:  ## build the static book under build/book from the executed notebooks
	@$(PYTHON) tools/setup_env.py dev book
	@$(BFL) book --profile $(PROFILE)

lab: setup  ## open the notebooks in JupyterLab
	@$(VENV)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

contract-tools: setup-dev
	@$(VENV)/python tools/compile_contracts.py --install || echo "tests that need Anvil or Forge will be skipped"

test: contract-tools  ## run all tests, with the smoke profile in a fresh clone
	@$(VENV)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: setup-dev  ## run the tests that take seconds
	@$(VENV)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

bench: setup-dev  ## time our parts against their peers, in one run; ratios and figures in build/bench
	@$(PYTHON) tools/setup_env.py peers
	@mkdir -p build/bench
	@for part in federated stpc system; do echo "bench: $$part"; \
	    $(VENV)/python benchmarks/bench_$$part.py --peers .venv-peers/bin/python > build/bench/$$part.json || exit 1; done
	@echo "bench: ledger"; $(VENV)/python benchmarks/bench_ledger.py > build/bench/ledger.json
	@$(VENV)/python benchmarks/draw.py build/bench/federated.json

check: setup-dev  ## lint, format, types, stripped notebooks
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(BFL) strip --check

strip: setup  ## remove outputs from the notebooks
	@$(BFL) strip

lock: setup  ## recompile locks/ from pyproject.toml
	@PATH="$(CURDIR)/$(VENV):$$PATH" tools/lock.sh

contracts: setup-dev  ## recompile the contracts (needs node or the group dev)
	@$(VENV)/python tools/compile_contracts.py

artifact: setup  ## bring the generated parts of README.md and docs/ARTIFACT.md up to date
	@$(BFL) artifact

reference: setup  ## keep the results and times of PROFILE as the committed reference
	@$(BFL) reference --profile $(PROFILE)

clean:  ## remove results, executed notebooks and figures of all profiles, save the committed ones
	@rm -rf build figures/smoke figures/quick
	@rm -f figures/paper/*.pdf figures/paper/*.svg

distclean: clean  ## remove the environments as well
	@rm -rf .venv .venv-peers
