"""What to do: requests, the engine that resolves them, and the decision now or at restart."""
