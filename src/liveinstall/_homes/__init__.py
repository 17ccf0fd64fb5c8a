"""Environments made of links: to run in, to embed, and for trials of pending changes."""
