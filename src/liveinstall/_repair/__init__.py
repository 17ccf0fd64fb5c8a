"""The diagnosis of damage from other tools or from killed processes, and the journal of repairs."""
