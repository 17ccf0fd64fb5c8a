"""What is here now: where files go, which distributions, what is loaded, who holds."""
