"""The finder, and the importers (owners) of the locations that it imports from."""
