"""Planning: which changes are applied now and which at restart. Pure functions on values, without I/O."""
