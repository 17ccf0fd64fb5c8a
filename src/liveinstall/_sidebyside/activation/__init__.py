"""Making chosen versions importable in this process and in its children."""
