"""Programs that write a page of the docs: `python -m integration.reports.NAME`."""
