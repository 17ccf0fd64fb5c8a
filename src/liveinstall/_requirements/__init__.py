"""The first stage: the requirements and options of a request."""
