"""The first stage: what was requested."""
