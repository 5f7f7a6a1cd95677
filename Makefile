# Each target sets up what it needs by itself: a machine with Python 3.11 and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := .peers
PEERS_STAMP := $(PEERS)/.installed
# Debian's packages of the servers that tests start by themselves.
SERVERS := chromium chromium-driver nats-server rabbitmq-server redis-server

.PHONY: help demo demo-page test nightly check format coverage chaos lab bench bench-record bench-rate lock clean servers
.DEFAULT_GOAL := test

$(STAMP): pyproject.toml requirements/dev.lock scripts/setup.sh
	@sh scripts/setup.sh $(PYTHON) $(VENV) requirements/dev.lock .
	@touch $@

$(PEERS_STAMP): requirements/peers.lock scripts/setup.sh
	@sh scripts/setup.sh $(PYTHON) $(PEERS) requirements/peers.lock
	@touch $@

servers:
	@sh scripts/servers.sh $(SERVERS)

help:  ## what there is
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile

demo-page: $(STAMP)  ## gateway and live page before simulated exchanges, until Ctrl-C
	@$(BIN)/tapewire serve --demo

demo: $(STAMP)  ## the main job on the built-in simulator: no network, no key
	@$(BIN)/tapewire demo

# The rooms that decide are pure: their tests must take every branch of them.
PURE_TESTS := tests/model tests/book tests/venues tests/session tests/hub tests/sim tests/tape/test_format.py \
  tests/sinks/brokers/test_address.py tests/sinks/files/test_event_lines.py tests/sinks/files/test_frames.py tests/sinks/brokers/test_identity.py \
  tests/sinks/files/test_layout.py tests/sinks/brokers/test_letters.py tests/sinks/files/test_lines.py tests/sinks/files/test_names.py tests/sinks/brokers/test_outbox.py tests/sinks/brokers/test_shared_log.py tests/sinks/brokers/test_amqp_message.py \
  tests/sinks/brokers/test_kafka_given.py tests/sinks/brokers/test_losses.py tests/sinks/brokers/test_runs.py tests/sinks/brokers/test_subjects.py tests/sinks/brokers/test_nats_holes.py tests/sinks/brokers/test_nats_message.py tests/sinks/brokers/test_redis_holes.py tests/sinks/brokers/test_redis_share.py \
  tests/apps/gateway/test_access.py tests/apps/gateway/test_backlog.py tests/apps/gateway/test_turnstile.py tests/apps/gateway/test_window.py tests/apps/gateway/test_wishes.py \
  tests/fleet/test_board.py tests/fleet/test_roster.py tests/fleet/test_shares.py tests/fleet/test_words.py \
  tests/test_config.py tests/test_errors.py

test: check servers $(PEERS_STAMP)  ## the checks, then every test; the pure rooms under branch coverage
	$(BIN)/python scripts/coverage.py $(PURE_TESTS)
	$(BIN)/python -m pytest -n 3 --dist worksteal $(PURE_TESTS:%=--ignore=%) $(PYTEST)

nightly: $(STAMP)  ## the tests at the full sizes of the plan, with what they measured (an hour)
	TAPEWIRE_NIGHTLY=1 $(BIN)/python -m pytest -s --timeout 3600 -m "not peers" $(PYTEST)

check: $(STAMP)  ## format, lint, spelling, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell src docs README.md CHANGELOG.md ARCHITECTURE.md CONTRIBUTING.md
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## lay out the code, mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chaos: $(STAMP)  ## kill -9, full disks and stops of real recorders, at the plan's full numbers (half an hour)
	TAPEWIRE_NIGHTLY=1 $(BIN)/python -m pytest tests/chaos -s --timeout 1800 $(PYTEST)

lab: $(STAMP) $(PEERS_STAMP)  ## the fault lab: tapewire and its peers against a misbehaving server
	$(BIN)/python -m benchmarks.lab

bench: $(STAMP)  ## the speed here beside websockets + json
	$(BIN)/tapewire bench

bench-record: $(STAMP)  ## what recording costs, beside a plain loop that writes
	$(BIN)/python -m benchmarks.recording

bench-rate: $(STAMP)  ## 200,000 messages a second recorded for a minute: held or not, memory flat or not
	$(BIN)/python -m benchmarks.recording_rate

lock: $(STAMP)  ## renew the lock files
	@sh scripts/lock.sh $(BIN)

clean:  ## remove what was set up
	rm -rf $(VENV) $(PEERS) .lab .mypy_cache .ruff_cache .pytest_cache .hypothesis
