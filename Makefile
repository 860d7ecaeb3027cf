# Everything runs in .venv, which every target makes when it is missing or older than its inputs.
BIN := .venv/bin
WORKERS ?= 2
N ?= 2000
# One thread a worker: the workers already fill the cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all fuzz corpus verification bench-solvers bench-mesh bench-data bench-opening \
	bench-recycling bench-operators bench-trust bench-warm lint gallery clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed ## make .venv and install everything, system libraries included where root
	@sh .ci/setup system

.venv/.installed: pyproject.toml constraints.txt .ci/setup
	@sh .ci/setup packages

demo: setup ## read the shipped bracket, train an operator on its siblings, solve the bracket
	$(BIN)/meshops demo

test: setup ## run the tests (WORKERS=2)
	$(PYTEST)

test-all: setup ## run the tests, the slow ones too
	$(PYTEST) -m "slow or not slow"

fuzz: setup ## read thousands of damaged files of each format (N=2000)
	MESHOPS_FUZZ=$(N) $(PYTEST) tests/geometries/test_fuzz.py

corpus: setup ## read every CAD and mesh file in the installed wheels and in the folders of MESHOPS_CORPUS
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow tests/geometries/test_corpus.py

verification: setup ## compare the reference solver with figures from elsewhere; writes docs/verification.md
	MESHOPS_VERIFICATION=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or not slow" tests/verification

bench-solvers: setup ## time and memory of heat in 3-D up to a million unknowns, and the exponents
	OMP_NUM_THREADS=1 $(BIN)/python -m meshops.evaluation.benchmarks.solvers

bench-mesh: setup ## time what a mesh of a million tetrahedra derives, and its edges against torch_geometric's
	OMP_NUM_THREADS=1 $(BIN)/python -m meshops.evaluation.benchmarks.mesh

bench-data: setup ## count the samples a second that one worker and two generate
	$(BIN)/python -m meshops.evaluation.benchmarks.generation

bench-opening: setup ## time the opening of a data set of 100,000 samples
	$(BIN)/python -m meshops.evaluation.benchmarks.opening

bench-recycling: setup ## compare recycled Krylov spaces with independent solves
	OMP_NUM_THREADS=1 $(BIN)/python -m meshops.evaluation.benchmarks.recycling

bench-operators: setup ## measure time and memory of every operator; writes docs/operator_speed.md
	$(BIN)/python docs/operator_speed.py

bench-trust: setup ## time verdicts at 100,000 unknowns beside a solve, and draw docs/images/effectivity.png
	OMP_NUM_THREADS=1 $(BIN)/python -m meshops.evaluation.benchmarks.trust
	OMP_NUM_THREADS=1 $(BIN)/python -m meshops.evaluation.benchmarks.effectivity docs/images/effectivity.png

bench-warm: setup ## time Newton's method from predictions beside Newton's method from zero
	OMP_NUM_THREADS=1 $(BIN)/python -m meshops.evaluation.benchmarks.warm

lint: setup ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gallery: setup ## write the pages and pictures of the examples, the families, the recipes and the operators
	$(BIN)/python docs/gallery.py
	$(BIN)/python docs/families.py
	$(BIN)/python docs/recipes.py all
	$(BIN)/python docs/operators.py

clean: ## remove caches and build outputs (rm -r .venv undoes the set-up)
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find geometries meshops tests examples -name __pycache__ -type d -prune -exec rm -rf {} +
