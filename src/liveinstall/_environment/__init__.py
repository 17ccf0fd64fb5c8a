"""The current environment: its scheme, installed and loaded distributions, and the processes that use it."""
