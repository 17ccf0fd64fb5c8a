"""Registries: named sets of versions, their files and their index."""
