"""Several versions side by side: the store, registries, owners. Empty until then."""
