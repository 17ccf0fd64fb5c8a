"""What other tools or a kill have broken, and how it is repaired."""
