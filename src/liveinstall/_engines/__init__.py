"""What resolves and fetches: pip or uv, behind one protocol."""
