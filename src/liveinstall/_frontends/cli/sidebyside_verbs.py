"""The commands for side-by-side versions: `run --with`, `versions`, `registry`, `store`."""

from __future__ import annotations

from liveinstall._frontends.cli.exit_codes import ExitCode
from liveinstall.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import Any

EXAMPLES = {
    "run": (
        'run --with "pandas<2" script.py --option',
        'run --with "numpy==1.26.4" -m pytest -x',
        "run script.py",
    ),
    "versions": ("versions numpy", "versions numpy --json"),
    "registry": (
        "registry create env1 numpy==1.26.4 pyzmq==26.2",
        "registry create env2 numpy==1.26.4 --exclusive",
        "registry merge both env1 env3",
        "registry check env1",
        "registry export-pth env1 > env1.pth",
        "registry enable",
    ),
    "store": ("store list", "store remove numpy==1.26.4"),
}
_PROGRAM = "(SCRIPT | -m MODULE | -c CODE) [ARGUMENT ...]"
_REGISTRY = {  # action -> the number of NAMEs after it
    "create": (1, None),
    "show": (1, 1),
    "list": (0, 0),
    "merge": (2, None),
    "check": (1, 1),
    "remove": (1, 1),
    "export-pth": (1, 1),
    "enable": (0, 0),
    "disable": (0, 0),
}


def add_verbs(verbs: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to the command-line parser.

    Args:
        verbs: The subparsers of the command line.
        verb: The function that adds one command to them.
    """
    run = verb(verbs, "run", "run a program with other versions, without changing the environment")
    run.usage = f"{run.prog} [--with REQUIREMENT] ... {_PROGRAM}"
    run.add_argument("program", nargs="*", help="requirements in a script's inline metadata (PEP 723) are added")
    run.add_argument(
        "--with", action="append", default=[], dest="wanted", metavar="REQUIREMENT", help="a version to use"
    )
    run.add_argument("--engine", default="auto", metavar="NAME", help="pip, uv or auto, to fetch missing versions")
    run.add_argument("-q", "--quiet", action="store_true", help="show no progress on stderr")
    verb(verbs, "versions", "show all versions of a distribution: default, stored, pending, active").add_argument(
        "name", metavar="NAME", help="a distribution"
    )
    registry = verb(verbs, "registry", "manage named sets of versions, which Python can activate when it starts")
    registry.usage = (
        f"{registry.prog} create NAME [--exclusive] [OPTION ...] REQUIREMENT ...\n"
        f"       {registry.prog} (show | check | remove | export-pth) NAME\n"
        f"       {registry.prog} merge NAME OTHER ...\n       {registry.prog} (list | enable | disable)"
    )
    registry.add_argument("action", choices=tuple(_REGISTRY))
    from liveinstall._requirements.pip_options import add_options  # which only the parser needs

    add_options(registry)
    registry.add_argument(
        "--exclusive", action="store_true", help="packages of the environment cannot be imported (create)"
    )
    registry.add_argument("--engine", default="auto", metavar="NAME", help="pip, uv or auto (create)")
    registry.add_argument("-q", "--quiet", action="store_true", help="show no progress on stderr (create)")
    store = verb(verbs, "store", "list or remove packages in the side-by-side store")
    store.add_argument("action", choices=("list", "remove"))
    store.add_argument(
        "names", nargs="*", metavar="NAME[==VERSION]", help="a distribution, or one version of it (remove)"
    )


def split(words: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Split `run ...` into the words for argparse and the program to run, with its own options.

    Args:
        words: The command line.

    Returns:
        The words for argparse, and the program with its arguments, or None.
    """
    at = 1
    while at < len(words):
        word = words[at]
        if word in ("--with", "--engine"):
            at += 1
        elif not word.startswith("-") or word in ("-m", "-c", "--"):
            break
        at += 1
    program = list(words[at:])
    return list(words[:at]), program[program[:1] == ["--"] :]


def _run(options: dict[str, Any]) -> int:
    from liveinstall._verbs.run import run

    if not options["program"]:
        raise RequirementError(f"the program is missing: {_PROGRAM}.", requirement="")
    return run(options["program"], options["wanted"], engine=options["engine"], quiet=options["quiet"])


def _versions(options: dict[str, Any]) -> Any:
    from liveinstall._verbs.versions import versions

    return versions(options["name"])


def _registry(options: dict[str, Any]) -> Any:
    from liveinstall._verbs import registry as registering

    action, names_given = options.pop("action"), options.pop("requirements", [])
    least, most = _REGISTRY[action]
    if len(names_given) < least or (most is not None and len(names_given) > most):
        names = {0: "no NAME", 1: "one NAME", 2: "a NAME and others"}[least]
        raise RequirementError(f"registry {action} takes {names}.", requirement="")
    if action == "create":
        return registering.create(names_given[0], *names_given[1:], **options)
    alone: dict[str, Callable[[], Any]] = {
        "list": registering.registered,
        "enable": lambda: registering.enable("on"),
        "disable": lambda: registering.enable("off"),
    }
    if action in alone:
        return alone[action]()
    return getattr(registering, action.replace("-", "_"))(*names_given)


def _store(options: dict[str, Any]) -> Any:
    from liveinstall._verbs.store import forget, stored

    if options["action"] == "list":
        return stored()
    if not options["names"]:
        raise RequirementError("store remove needs NAME or NAME==VERSION.", requirement="")
    return forget(*options["names"])


VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "run": _run,
    "versions": _versions,
    "registry": _registry,
    "store": _store,
}


def text_of(value: Any) -> str:
    """Return the plain-text output for a value; empty if a program wrote its own output."""
    if isinstance(value, int):
        return ""
    from liveinstall.reports import Registered, RegistryLookup, StoredVersion

    if isinstance(value, RegistryLookup):
        state = "enabled" if value.enabled else "disabled"
        return f"Registries are {state} in {value.site}."
    if isinstance(value, tuple) and value and not isinstance(value[0], Registered):
        return "\n".join(
            f"{row.name} {row.version}  {row.place}" if isinstance(row, StoredVersion) else row for row in value
        )
    return str(value) if value != () else getattr(value, "empty", "")


def status_of(value: Any) -> int:
    """Return the exit status for a value: that of the program, or whether `registry check` found problems."""
    if isinstance(value, int):
        return int(value)
    return ExitCode.BROKEN if getattr(value, "problems", ()) else ExitCode.DONE
