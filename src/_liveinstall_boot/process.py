"""What this process runs, and its one way to say something: a line on stderr."""

import sys
from os.path import basename

# Shown the disk, never a part.
MANAGERS = {"pip", "liveinstall", "ensurepip", "conda", "mamba", "poetry", "pdm", "pipenv", "_pip_child"}


def command():
    return " ".join(sys.orig_argv).replace("\n", " ")[:120]


def is_manager(arguments):
    """Whether an interpreter's arguments run a package manager, by -m or as a script."""
    return program(arguments)[0] in MANAGERS


def program(arguments):
    """The name of what an interpreter's arguments run, by -m or as a script, and its own arguments; "" for others."""
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


def say(line):
    try:
        sys.stderr.write(line.replace("\n", " ") + "\n")
    except BaseException:  # closed, or None
        pass
