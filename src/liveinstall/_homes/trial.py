"""A temporary linked environment: a preview of the environment after the restart."""

from __future__ import annotations

import os
import site as site_module
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import _liveinstall_boot as boot
from _liveinstall_boot.layout import TRIAL_VARIABLE
from _liveinstall_boot.trial import changes_packages
from liveinstall._homes.future import future
from liveinstall._homes.links import make, opened
from liveinstall._system.programs import command_of
from liveinstall._system.scratch import private_directory, scratch_directory
from liveinstall.errors import TrialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from _liveinstall_boot import codec
    from liveinstall._homes.future import Future
    from liveinstall.results import Target

_PREFIX = "liveinstall-trial-"
_PTH = "!liveinstall-trial.pth"  # sorts before any other
# `ascii()`, because site.py reads these files in the locale's encoding.
_LINE = """\
import sys; exec("sys.path.insert(0, {home})\\ntry:\\n from _liveinstall_trial.trial import begin\\n\
except Exception:\\n pass\\nelse:\\n begin({site}, {sees}, {before}, {after})\\nfinally:\\n sys.path.remove({home})")
"""


@dataclass(frozen=True)
class TrialEnvironment:
    """A preview: its directory, interpreter, scripts, environment variables, and the transactions applied in it."""

    directory: str
    python: str
    scripts: str
    variables: Mapping[str, str]
    records: Sequence[codec.TransactionRecord]
    notes: Sequence[str]
    handle: int = field(repr=False)

    def command(self, program: Sequence[str]) -> list[str]:
        """The command line for a program, with the interpreter options of this process.

        Args:
            program: The arguments of the interpreter, or the name of a script and its arguments.

        Raises:
            TrialError: The program is a package manager.
        """
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
        python = [self.python, *(["-B"] if "-B" not in flags else []), *flags]
        arguments = command_of(python, program, self.scripts)
        if arguments[0] != self.python and changes_packages(["", *arguments]):
            raise TrialError("a package manager cannot run in a trial.", todo="Make the change outside of the trial.")
        return arguments


@contextmanager
def trial_environment(
    target: Target, records: Iterable[codec.TransactionRecord], *, checked: bool = True, held: bool = True
) -> Iterator[TrialEnvironment]:
    """Make a preview of the environment after transactions. The environment itself is not changed.

    Args:
        target: The environment.
        records: The transactions.
        checked: Whether to omit those that the swap would set aside.
        held: Whether processes in the preview protect the files that they use.

    Raises:
        TrialError: The file system does not support links.
    """
    try:
        preview, notes, applied = future(target, records, checked=checked)
    except OSError as error:
        raise TrialError(f"the environment could not be read: {error}.") from None
    parts = [change.part for record in applied for change in record.changes if change.part]
    with ExitStack() as stack:
        try:
            directory, handle = stack.enter_context(scratch_directory(_trials(), _PREFIX))
            _make(preview, directory, parts if held else None)
        except OSError as error:
            raise TrialError(f"the environment of the trial could not be created: {error}.") from None
        scripts = os.path.join(directory, preview.path(target.scripts))
        in_user = target.kind == "user"
        python = target.python if in_user else os.path.join(scripts, os.path.basename(target.python))
        yield TrialEnvironment(
            directory, python, scripts, _variables(target, directory, scripts), applied, notes, handle
        )


def _trials() -> str:
    try:
        return private_directory("liveinstall-trials")
    except OSError as error:
        raise TrialError(f"there is no directory for temporary files: {error}.") from None


def _make(preview: Future, directory: str, parts: Sequence[str] | None) -> None:
    _begin(preview, directory, parts)
    preview.carry(directory)
    preview.tree[".boot"] = {"_liveinstall_trial": os.path.dirname(boot.__file__)}
    make(preview.tree, directory)


def _begin(preview: Future, directory: str, parts: Sequence[str] | None) -> None:
    """Write the .pth file that runs first in each interpreter of the preview."""
    target = preview.target
    site = "" if parts is None else target.site
    values = {"home": os.path.join(directory, ".boot"), "site": site, "sees": parts or [], **_additional_sites(target)}
    quoted = {name: ascii(value).replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    text = _LINE.format(**quoted)
    opened(preview.tree, preview.path(target.site))[_PTH] = text.encode("ascii")


def _additional_sites(target: Target) -> dict[str, list[str]]:
    """The additional site directories of a Python that is not a virtual environment; otherwise pyvenv.cfg has them."""
    if target.kind != "system":
        return {"before": [], "after": []}
    user = [site_module.getusersitepackages()] if site_module.ENABLE_USER_SITE else []
    places = (target.site, target.platlib)
    return {
        "before": [path for path in user if os.path.isdir(path)],
        "after": [path for path in site_module.getsitepackages() if os.path.realpath(path) not in places],
    }


def _variables(target: Target, directory: str, scripts: str) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    mine = {"PYTHONUSERBASE": directory} if target.kind == "user" else {}
    return {
        **os.environ,
        **mine,
        TRIAL_VARIABLE: directory,
        "PATH": os.pathsep.join(scripts if os.path.realpath(entry) == target.scripts else entry for entry in path),
        "PYTHONDONTWRITEBYTECODE": "1",  # bytecode would be written through the links
    }
