# make app [PORT=8501]   set up .venv and start the dashboard on http://127.0.0.1:PORT
# make demo              set up .venv, train PT, MST, SPP and SCP on the demo suite, print the accuracy table
# make bench             set up, then measure speed and memory against other programs and limits (about ten minutes)
# make soak              set up, kill a worker thirty times, try 100,000 random inputs, measure the dashboard under load
# make reference         set up, then write the reference of the library into .cache/reference
# make quick             set up, then lint, types, import contracts and the tests that start no process (three minutes)
# make extras            add the extras to .venv, then test them: Ray on a cluster of two nodes, and the trackers
# make test              set up .venv and a browser, then lint, types and every test
# Each target creates .venv if it is missing and updates it if a requirements file has changed (.ci/setup.sh).

PORT ?= 8501
PYTHON := .venv/bin/python

.PHONY: app bench demo extras quick reference soak test

ifneq ($(filter app,$(or $(MAKECMDGOALS),app)),)
  ifneq ($(shell p='$(subst ','\'',$(PORT))'; case "$$p" in (''|*[!0-9]*|??????*) ;; (*) \
      [ "$$p" -ge 1 ] && [ "$$p" -le 65535 ] && echo good;; esac),good)
    $(error PORT must be an integer in [1, 65535]. Got '$(PORT)' instead; try 'make app PORT=8501')
  endif
endif

app:
	@.ci/setup.sh app
	@$(PYTHON) -m streamlit run app/main.py --server.port $(PORT) --server.address 127.0.0.1 \
	    --server.showEmailPrompt false

demo:
	@.ci/setup.sh app
	@$(PYTHON) -m compt_core run --preset demo

bench:
	@.ci/setup.sh test
	$(PYTHON) benchmarks/speed.py
	$(PYTHON) benchmarks/speed.py --backbone small --seeds 1 --steps 4 --only ab
	$(PYTHON) benchmarks/limit.py
	$(PYTHON) benchmarks/limit.py --backbone small --seeds 1
	$(PYTHON) benchmarks/growth.py

soak:
	@.ci/setup.sh test
	COMPT_KILLS=30 $(PYTHON) -m pytest tests/faults
	COMPT_FUZZ=100000 $(PYTHON) -m pytest -n 2 tests/fuzz
	$(PYTHON) benchmarks/load.py

reference:
	@.ci/setup.sh quick
	$(PYTHON) -m pdoc --output-directory .cache/reference compt_core.library

quick:
	@.ci/setup.sh quick
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy -n 2
	.venv/bin/lint-imports --no-cache
	$(PYTHON) -m pytest -n 2 --no-loadscope-reorder -m "not slow"

extras:
	@.ci/setup.sh test
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-ray.txt -r requirements-track.txt
	$(PYTHON) -m pytest tests/trackers tests/executors/test_ray.py

test:
	@.ci/setup.sh test
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy -n 2
	$(PYTHON) -m pytest -n 2 --no-loadscope-reorder
