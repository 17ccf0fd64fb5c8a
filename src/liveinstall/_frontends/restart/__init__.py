"""Restarting Python from within, and reporting what the restart did."""

EXTENSION = "--ext=liveinstall._frontends.restart.kernel_report"  # of IPython: what its successor loads first
