"""Linked environments: homes, and previews of the environment after the pending changes."""
