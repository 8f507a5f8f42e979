# Everything runs in .venv, which is made anew when the pinned versions change.
PYTHON ?= python3.11
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint bench docs clean

demo: .venv/installed
	$(BIN)/distiller demo

test: lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed
	$(BIN)/python benchmarks/where_it_pays.py
	$(BIN)/python benchmarks/objectives.py
	$(BIN)/python benchmarks/mutual_information.py
	$(BIN)/python benchmarks/speed.py --out runs/speed
	$(BIN)/python benchmarks/store.py --out runs/speed
	$(BIN)/python benchmarks/search.py --out runs/search --sample 3
	$(BIN)/python benchmarks/ensemble.py --out runs/ensemble
	$(BIN)/python benchmarks/search_memory.py
	$(BIN)/python benchmarks/analysis.py
	$(BIN)/python benchmarks/importance_coverage.py
	$(BIN)/python benchmarks/contrast_coverage.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/features.py
	$(BIN)/python benchmarks/recommend.py --speed
	$(BIN)/python benchmarks/augmentation_speed.py
	$(BIN)/python benchmarks/augmentation_safety.py --out runs/augmentation
	$(BIN)/python benchmarks/augmentation_effect.py --out runs/effect
	$(BIN)/python benchmarks/contextual_offline.py --out runs/augmentation
	$(BIN)/python benchmarks/quantisation.py runs/demo/distilled  # of `make demo`

docs: .venv/installed
	$(BIN)/pytest tests/docs

clean:
	rm -rf .venv runs build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	# Its losses are what ours are compared with; the torchvision that it asks for is not made for this torch.
	$(BIN)/pip install --quiet --no-deps torchdistill==1.1.5
	touch $@
