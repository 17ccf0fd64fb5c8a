"""What the integration tests and the reports share."""
