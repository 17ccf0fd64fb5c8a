"""Restarting Python from within, and reporting what the restart did."""
