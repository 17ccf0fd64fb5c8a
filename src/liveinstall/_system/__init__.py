"""The base package: modules that every other package may import, and that import no other."""
