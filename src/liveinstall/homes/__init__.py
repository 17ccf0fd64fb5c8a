"""Environments made of links, and the trial of what is staged. Empty until then."""
