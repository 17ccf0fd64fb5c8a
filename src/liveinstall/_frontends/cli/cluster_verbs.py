"""The command `cluster`: the steps that an engine for distributed computing runs in each environment."""

from __future__ import annotations

from liveinstall._frontends.cli.exit_codes import ExitCode
from liveinstall.errors import LockError, RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

EXAMPLES = {
    "cluster": (
        "cluster prepare pylock.toml --wheels DIRECTORY",
        "cluster arm 20261121T034425-bb8e01ea",
        "cluster drop 20261121T034425-bb8e01ea",
        "cluster status --json",
    ),
}


def add_verbs(verbs: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the command-line parser.

    Args:
        verbs: The subparsers of the command line.
        verb: The function that adds one command to them.
    """
    cluster = verb(verbs, "cluster", "prepare a change that new processes use only when it is armed")
    cluster.usage = (
        f"{cluster.prog} prepare LOCK [--wheels DIRECTORY] [--verify]\n       {cluster.prog} arm ID\n"
        f"       {cluster.prog} drop ID\n       {cluster.prog} status"
    )
    cluster.add_argument("action", choices=("prepare", "arm", "drop", "status"))
    cluster.add_argument("what", nargs="?", metavar="LOCK | ID", help="the file of the lock, or the id of the change")
    cluster.add_argument(
        "--wheels",
        action="append",
        default=[],
        metavar="DIRECTORY",
        help="where the wheels of the lock are (default: the directory of the lock; may be given several times)",
    )
    cluster.add_argument("--verify", action="store_true", help="import the changed packages in a preview (prepare)")
    cluster.add_argument("--timeout", type=float, metavar="SECONDS", help="limit for the environment's lock (prepare)")


def _cluster(options: dict[str, Any]) -> Any:
    from pathlib import Path

    from liveinstall._cluster import steps
    from liveinstall._cluster.environment import look

    action, what = options["action"], options["what"]
    if (action == "status") != (what is None):
        wanted = {"prepare": "the file of a lock", "status": "nothing else"}.get(action, "the id of a change")
        raise RequirementError(f"cluster {action} takes {wanted}.", requirement="")
    if action == "status":
        return look()
    if action != "prepare":
        return steps.arm(what) if action == "arm" else steps.drop(what)
    try:
        text = Path(what).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{what} cannot be read: {error}.", name=what) from None
    from liveinstall._cluster.values import Lock

    wheels = options["wheels"] or [str(Path(what).absolute().parent)]
    return steps.prepare(Lock.parse(text), wheels, verify=options["verify"], timeout=options["timeout"])


VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {"cluster": _cluster}


def text_of(value: Any) -> str:
    """Return the plain-text output for a value."""
    return str(value)


def status_of(value: Any) -> int:  # noqa: ARG001  as in the other groups of commands
    """Return the exit status for a value."""
    return ExitCode.DONE
