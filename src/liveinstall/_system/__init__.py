"""The base package for all others. Its modules import only errors, `_redact` and the boot package."""
