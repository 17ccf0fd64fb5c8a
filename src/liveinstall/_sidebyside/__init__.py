"""Several versions side by side: the store, registries, the import finder and its owners."""
