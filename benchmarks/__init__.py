"""How fast liveinstall is, side by side with pip and uv: `python -m benchmarks` runs all and writes docs/benchmarks.md.

Figures are ratios and differences within one run: each round measures every arm once, in an order that turns.
"""
