"""Helpers of the integration tests and the reports."""
