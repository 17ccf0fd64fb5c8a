"""The engine that runs pip."""
