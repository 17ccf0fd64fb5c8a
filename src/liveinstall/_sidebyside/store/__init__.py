"""The directory of versions beside the environment."""
