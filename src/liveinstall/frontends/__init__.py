"""Where people are: the command line and what values look like."""
