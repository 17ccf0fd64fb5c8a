"""Importing from wheels without installing them."""
