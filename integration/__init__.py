"""Real pip, real wheels, real processes: what the promises are worth outside of unit tests."""
