"""Restarting Python from within, and reporting the outcome."""

EXTENSION = "--ext=liveinstall._frontends.restart.kernel_report"  # of IPython: what its successor loads first
