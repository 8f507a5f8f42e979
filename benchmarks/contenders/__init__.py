"""One way to distil a script, all in the same setting; `benchmarks/speed.py` runs them and compares."""
