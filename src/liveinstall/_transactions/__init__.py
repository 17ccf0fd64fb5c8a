"""Transactions on disk: publishing, applying, discarding and recovering them; their history and start-up files."""
