"""Staging: wheels are checked, unpacked into parts next to their final location, and compiled."""
