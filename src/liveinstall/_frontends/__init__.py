"""Where people are: what values look like, progress, prompts, notebooks and the command line."""
