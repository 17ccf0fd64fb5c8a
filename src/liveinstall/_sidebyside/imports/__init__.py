"""The finder, and the owners of the places that it imports from."""
