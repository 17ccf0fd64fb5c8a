"""The engine that runs uv."""
