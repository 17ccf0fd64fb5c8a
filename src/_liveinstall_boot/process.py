"""The program that this process runs, and reporting a failure: one line on stderr."""

import os
import sys
from os.path import basename

# Package managers use the files on disk, never a part.
MANAGERS = {"pip", "liveinstall", "ensurepip", "conda", "mamba", "poetry", "pdm", "pipenv", "_pip_child"}
HIDDEN = "****"  # in place of a secret
_NO_DESCRIPTOR = 2**31 - 1  # no process has this one: a call with it changes nothing
_printed = []


def say(line):
    """Print a line on stderr, if that exists; only the first one in each process, so a start prints at most one."""
    try:
        if not _printed:
            _printed.append(line)
            sys.stderr.write(" ".join(line.splitlines()) + "\n")
    except BaseException:  # closed, or None
        pass


def is_main_interpreter():
    """Whether this is the first interpreter of its process, and not a subinterpreter."""
    import _thread

    if hasattr(_thread, "_is_main_interpreter"):  # Python 3.12 and later
        return _thread._is_main_interpreter()  # noqa: SLF001  `_interpreters` would be a file to load
    try:
        # It checks first that this is the main thread of the main interpreter (else ValueError), then the descriptor.
        import _signal

        _signal.set_wakeup_fd(_NO_DESCRIPTOR)
    except OSError:
        return True
    except ValueError:
        pass
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        return True
    return interpreters.get_current() == interpreters.get_main()


def host():
    """Identify where a process id counts: one pid namespace (each container has its own) of one machine since its boot.

    Returns:
        Three words: the boot id, the inode of the pid namespace, and for people the name of the machine or container;
        `-` for each that is not known.
    """
    facts = []
    for fact in (_boot_id, _pid_namespace, _machine):
        try:
            facts.append("".join(fact().split()) or "-")
        except (OSError, AttributeError):  # not on Linux, or without /proc
            facts.append("-")
    return " ".join(facts)


def boot(directory):
    """Identify the boot of this machine, and a directory that it wrote: a copy of the directory has another identity.

    Args:
        directory: the directory.

    Returns:
        The boot id and the directory's inode, as text; empty if they are not known (for example, not on Linux).
    """
    try:
        boot_id = "".join(_boot_id().split())
        return "%s %d" % (boot_id, os.stat(directory).st_ino) if boot_id else ""
    except OSError:
        return ""


def _boot_id():
    handle = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY)
    try:
        return os.read(handle, 64).decode("ascii", "replace")
    finally:
        os.close(handle)


def _pid_namespace():
    return str(os.stat("/proc/self/ns/pid").st_ino)


def _machine():
    return os.uname().nodename.encode("ascii", "replace").decode("ascii")


def command():
    """Return the command line of this process for people: one line, at most 120 characters, without secrets."""
    return without_secrets(" ".join(sys.orig_argv).replace("\n", " "))[:120]


def without_secrets(line):
    """Redact secrets in a command line, like `liveinstall._redact` but without importing `re`.

    This is necessary because every user may read a hold. It works word by word: URLs, proxies, `name=value` and
    `--name value`.
    """
    shown, is_value = [], False
    for word in line.split(" "):
        name, equals, value = word.partition("=")
        if is_value and word:
            word = HIDDEN
        elif (
            equals and value[:1] != "=" and _is_secret(name.rpartition("?")[2].rpartition("&")[2]) and "://" not in name
        ):
            word = name + "=" + HIDDEN
        else:
            word = _without_password(word)
        is_value = word[:1] == "-" and not equals and _is_secret(name)
        shown.append(word)
    return " ".join(shown)


def _is_secret(name):
    """Whether the value of an option, variable or field with this name is a secret."""
    name = name.lower()
    return any(part in name for part in ("token", "secret", "passw", "credential", "api_key", "api-key", "apikey"))


def _without_password(word):
    """A word with users and passwords in URLs, and secrets in queries, redacted."""
    at = word.find(":/")
    if at > 0 and word[at - 1].isalpha() and not word[at - 2 : at - 1].isalnum() and word[at + 2 : at + 3] != "/":
        at = word.find(":/", at + 1)  # it was that of a drive
    if at < 0:
        head, sign, host = word.rpartition("@")
        before, colon, _ = head.partition("=")[2].partition(":") if "=" in head else head.partition(":")
        if sign and colon and before and "/" not in word and ":\\" not in word:  # a proxy's address
            return head[: head.find(before)] + HIDDEN + "@" + host
        return HIDDEN if word.startswith(("ghp_", "github_pat_", "glpat-", "pypi-AgE")) else word
    start = at + 1
    while word[start : start + 1] == "/":
        start += 1
    next_url = word.find(":/", start)  # a word may have two URLs
    end = word.find("/", start)
    end = len(word) if end < 0 else end
    sign = word.rfind("@", start, end)
    port = word[start:end].partition(":")[2]
    if sign < 0 and port and not port[:1].isdigit():  # a slash in a password
        sign = word.rfind("@", start, next_url if next_url > 0 else len(word))
    shown = word[:start] + HIDDEN if sign >= 0 else word[:start]
    rest = word[sign:] if sign >= 0 else word[start:]
    if ":/" in rest:
        return shown + _without_password(rest)
    address, question, query = rest.partition("?")
    fields = [field.partition("=")[0] + "=" + HIDDEN if _is_secret(field) else field for field in query.split("&")]
    return shown + address + question + "&".join(fields)


def is_manager(arguments):
    """Return whether an interpreter with these arguments runs a package manager, by `-m` or as a script.

    Args:
        arguments: a command line as in `sys.orig_argv`.
    """
    return program(arguments)[0] in MANAGERS


def program(arguments):
    """Find the program that an interpreter with these arguments runs, by `-m` or as a script.

    Args:
        arguments: a command line as in `sys.orig_argv`.

    Returns:
        The program's name without suffix or version number ("" for `-c` or none), and a list of its own arguments.
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
