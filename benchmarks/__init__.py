"""Benchmarks of liveinstall against pip and uv: `python -m benchmarks` runs all and writes docs/benchmarks.md.

Results are ratios and differences within one run: each round measures every arm once, in a rotating order.
"""
