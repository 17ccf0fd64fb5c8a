"""Wheels become parts: checked, unpacked beside their place, compiled."""
