"""Notebooks: cards, magics and the Jupyter server extension."""
