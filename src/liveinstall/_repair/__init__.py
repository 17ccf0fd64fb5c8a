"""Damage that other tools or a kill have left: its diagnosis, and the journal of repairs."""
