"""What this process runs, and how it reports a failure: one line on stderr."""

import sys
from os.path import basename

# Package managers see the files on disk, never a part.
MANAGERS = {"pip", "liveinstall", "ensurepip", "conda", "mamba", "poetry", "pdm", "pipenv", "_pip_child"}


def say(line):
    """Print one line on stderr, if there is a stderr."""
    try:
        sys.stderr.write(line.replace("\n", " ") + "\n")
    except BaseException:  # closed, or None
        pass


def command():
    """The command line of this process for people: one line, at most 120 characters."""
    return " ".join(sys.orig_argv).replace("\n", " ")[:120]


def is_manager(arguments):
    """Whether an interpreter with these arguments runs a package manager, by `-m` or as a script.

    Args:
        arguments: a command line as in `sys.orig_argv`.
    """
    return program(arguments)[0] in MANAGERS


def program(arguments):
    """What an interpreter with these arguments runs, by `-m` or as a script.

    Args:
        arguments: a command line as in `sys.orig_argv`.

    Returns:
        The program's name without suffix or version number ("" for `-c` and for none), and the program's own arguments.
    """
    rest = iter(arguments[1:])
    for word in rest:
        if not word.startswith("-"):
            name = basename(word).lower().removesuffix(".exe").removesuffix(".py")
            return name.rstrip("0123456789."), list(rest)
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(rest, "")
            continue
        for at, letter in enumerate(word):
            if letter == "c":
                return "", []
            if letter == "m":
                return (word[at + 1 :] or next(rest, "")).partition(".")[0], list(rest)
            if letter in "WX":
                word[at + 1 :] or next(rest, "")
                break
    return "", []
