"""The core for clusters: one change, prepared in many environments before any start of Python uses it."""
