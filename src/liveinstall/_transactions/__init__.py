"""Transactions on disk: publish, apply, discard, recover; their history, and the files that run at start-up."""
