"""The store: a directory of unpacked wheels outside of the environment."""
