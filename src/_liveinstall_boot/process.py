"""What this process runs, and how it reports a failure: one line on stderr."""

import sys
from os.path import basename

# Package managers see the files on disk, never a part.
MANAGERS = {"pip", "liveinstall", "ensurepip", "conda", "mamba", "poetry", "pdm", "pipenv", "_pip_child"}


HIDDEN = "****"  # in place of a secret
_said = []


def say(line):
    """Print a line on stderr, if there is one; only the first in each process, since a start prints one at most."""
    try:
        if not _said:
            _said.append(line)
            sys.stderr.write(" ".join(line.splitlines()) + "\n")
    except BaseException:  # closed, or None
        pass


def is_main_interpreter():
    """Whether this is the first interpreter of its process, and no subinterpreter."""
    try:
        import _interpreters as interpreters  # Python 3.13 and later
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            return True
    this, main = interpreters.get_current(), interpreters.get_main()
    return this[0] == main[0] if isinstance(this, tuple) else this == main


def command():
    """The command line of this process for people: one line, at most 120 characters, without secrets."""
    return without_secrets(" ".join(sys.orig_argv).replace("\n", " "))[:120]


def without_secrets(line):
    """A command line without what `liveinstall._redact` hides in one, as far as that needs no `re`.

    Every user may read a hold. A start loads no regular expressions, so this looks at words: URLs, proxies,
    `name=value` and `--name value`.
    """
    shown, is_value = [], False
    for word in line.split(" "):
        name, equals, value = word.partition("=")
        if is_value and word:
            word = HIDDEN
        elif equals and value[:1] != "=" and _tells(name.rpartition("?")[2].rpartition("&")[2]) and "://" not in name:
            word = name + "=" + HIDDEN
        else:
            word = _without_password(word)
        is_value = word[:1] == "-" and not equals and _tells(name)
        shown.append(word)
    return " ".join(shown)


def _tells(name):
    """Whether an option, variable or field of this name has a secret."""
    name = name.lower()
    return any(part in name for part in ("token", "secret", "passw", "credential", "api_key", "api-key", "apikey"))


def _without_password(word):
    """A word without user and password in its URLs, and without secrets in a query."""
    at = word.find(":/")
    if at < 0:
        head, sign, host = word.rpartition("@")
        before, colon, _ = head.partition("=")[2].partition(":") if "=" in head else head.partition(":")
        if sign and colon and before and "/" not in word:  # a proxy's address
            return head[: head.find(before)] + HIDDEN + "@" + host
        return HIDDEN if word.startswith(("ghp_", "github_pat_", "glpat-", "pypi-AgE")) else word
    start = at + 1
    while word[start : start + 1] == "/":
        start += 1
    next_one = word.find(":/", start)  # two of them in one word
    end = word.find("/", start)
    end = len(word) if end < 0 else end
    sign = word.rfind("@", start, end)
    port = word[start:end].partition(":")[2]
    if sign < 0 and port and not port[:1].isdigit():  # a slash in a password
        sign = word.rfind("@", start, next_one if next_one > 0 else len(word))
    shown = word[:start] + HIDDEN if sign >= 0 else word[:start]
    rest = word[sign:] if sign >= 0 else word[start:]
    if ":/" in rest:
        return shown + _without_password(rest)
    address, question, query = rest.partition("?")
    fields = [field.partition("=")[0] + "=" + HIDDEN if _tells(field) else field for field in query.split("&")]
    return shown + address + question + "&".join(fields)


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
