"""The front ends: rendering, progress, prompts, notebooks and the command line."""
