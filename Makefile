# `make run` and `make test` are all one needs; `make help` lists the rest. PORT, HOST and DATABASE_URL are honoured.

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SECONDS ?= 600
# A third of the tests wait for a clock or a browser, so three at a time keep two cores at work.
JOBS    ?= 3
SEED    ?=

.DEFAULT_GOAL := help
.PHONY: help run test slow lint types chaos relays histories acknowledged disturbances clocks drain defects load races bench lock diagrams clean

help:  ## list these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: $(READY)  ## run the whole site here: web, worker, database, example systems
	@exec $(BIN)/python -m config.run

test: $(READY)  ## every check and the default test suite
	@tools/need_chromium
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/vendor_assets.py --check
	$(BIN)/python manage.py diagrams --check
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

slow: $(READY)  ## the rest of what CI runs: every case of what a few show, further ways through a page, whole installations
	@tools/need_chromium
	$(BIN)/python -m pytest -m "slow and not chaos and not load" -n $(JOBS) --dist worksteal

lint: $(READY)  ## format and lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/lint-imports

types: $(READY)  ## type-check
	$(BIN)/mypy

chaos: $(READY)  ## kill runners, workers and the database while work runs; SECONDS=600 SEED=x for the drawn trials
	$(BIN)/python -m pytest -m chaos --durable --timeout 1800 --seconds $(SECONDS) --seed "$(SEED)"

relays: $(READY)  ## kill process after process, for SECONDS=600 from SEED=x; several at a time share nothing
	$(BIN)/python -m pytest tests/chaos/test_failpoints.py -m chaos --durable --timeout 0 -k in_relays --seconds $(SECONDS) --seed "$(SEED)"

histories: $(READY)  ## play drawn histories of small workflows and judge each, for SECONDS=600 from SEED=x; one that fails is made small
	$(BIN)/python -m pytest tests/chaos/test_any_history.py -m chaos --timeout 0 -s -k whatever --seconds $(SECONDS) --seed "$(SEED)"

acknowledged: $(READY)  ## crash PostgreSQL RESTARTS=100 times under clients that keep lists of what was acknowledged
	RESTARTS=$${RESTARTS:-100} $(BIN)/python -m pytest tests/chaos/test_acknowledged.py -m chaos --durable --timeout 0

disturbances: $(READY)  ## throughput before, during and after five disturbances, and the time until a dead worker's step is claimable
	$(BIN)/python -m pytest tests/chaos/test_recovery.py -m chaos --durable --timeout 0

clocks: $(READY)  ## the same work with workers whose clocks are ten minutes off; needs a C compiler
	$(BIN)/python -m pytest tests/chaos/test_wrong_clocks.py -m chaos --durable --timeout 0

drain: $(READY)  ## an operator drains 1,204 dead letters in a browser, with real workers; LETTERS=105 for a first look
	@tools/need_chromium
	$(BIN)/python -m pytest tests/browser/test_drain.py -m chaos --timeout 0

defects: $(READY)  ## plant every known mistake, one after the other: each must be noticed
	$(BIN)/python -m pytest tests/chaos/test_failpoints.py -m chaos --durable -k whatever_it_is

load: $(READY)  ## measure pages and sums over millions of rows; and all 500 payloads and the matrix of races in full: hours
	$(BIN)/python -m pytest -m load --durable --timeout 1800

races: $(READY)  ## 500 races of every two things that can happen to one request, and all of the other races
	$(BIN)/python -m pytest tests/races/test_matrix.py -m load --durable --timeout 0
	SHARE_OF_RACES=1 $(BIN)/python -m pytest tests/races -m "not load" --durable --timeout 0

bench: $(READY)  ## compare with another engine on the same PostgreSQL, as ratios
	$(BIN)/python bench/run.py

diagrams: $(READY)  ## draw the lifecycle diagrams again
	$(BIN)/python manage.py diagrams

lock: $(READY)  ## write requirements.lock from requirements.in
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-emit-options \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.lock requirements.in

clean:  ## remove the environment and all data of this folder, the database included
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m config.postgres stop; fi
	@# As root the database may lie elsewhere, behind a link.
	rm -rf "$$(readlink -f var/postgres)" var $(VENV)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Again only when the lock changed.
$(READY): requirements.lock
	@PYTHON="$(PYTHON)" tools/make_venv $(VENV)
	@touch $@
