"""Real pip, real wheels, real processes: tests of the promises outside of unit tests."""
