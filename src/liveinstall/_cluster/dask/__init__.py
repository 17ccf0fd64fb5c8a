"""The engine Dask: a scheduler plugin that coordinates, plugins of nannies and workers, and the client's side."""
