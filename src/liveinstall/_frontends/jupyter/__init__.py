"""Notebooks: cards, magics and the extension of the Jupyter server."""
