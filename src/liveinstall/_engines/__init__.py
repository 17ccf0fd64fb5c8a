"""Engines, which resolve requests and fetch wheels: pip and uv, behind one protocol."""
