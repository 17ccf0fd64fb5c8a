"""A former name: see `restarted`."""
