"""A former name: see `activating`."""
