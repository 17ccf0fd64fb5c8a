"""A site directory without an interpreter: installs, stages and swaps happen in this process, kills in forked ones."""

from __future__ import annotations

import faulthandler
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

import _liveinstall_boot as boot
from _liveinstall_boot.layout import COMPANIONS, FINALIZER, STATE, TRANSACTIONS
from helpers.environments import make_wheel, tree
from liveinstall._changes.shared_files import handover
from liveinstall._environment.installed import in_directory
from liveinstall._model import Candidate
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.stage import stage_all
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.pending import PendingChange, publish
from liveinstall.results import Change, Target

KILLED = 9
# What changes files; os.replace is audited as os.rename, os.unlink as os.remove.
CHANGES = {
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.remove",
    "os.chmod",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.utime",
}


def is_change(event: str, arguments: tuple) -> bool:
    return event in CHANGES or (event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


@dataclass
class Place:
    root: Path

    @property
    def site(self) -> Path:
        return self.root / "lib" / "site-packages"

    @property
    def target(self) -> Target:
        site = str(self.site)
        return Target(
            sys.executable, "venv", site, site, str(self.root / "bin"), str(self.root / "include"), str(self.root)
        )

    def __post_init__(self) -> None:
        self.site.mkdir(parents=True, exist_ok=True)
        (self.root / "bin").mkdir(exist_ok=True)

    def candidate(self, name: str, version: str, *args, **options) -> Candidate:
        wheel = make_wheel(self.root.parent / "wheels", name, version, *args, **options)
        return Candidate(canonicalize_name(name), version, (), requested=True, wheel=str(wheel))

    def stage(self, *candidates: Candidate, remove: tuple[str, ...] = ()) -> str:
        """Publish one transaction that brings the candidates and removes `remove`; its id."""
        transactions.new_id()
        (self.site / STATE / TRANSACTIONS).mkdir(parents=True, exist_ok=True)
        here = {found.name: found for found in in_directory(str(self.site))}
        id = transactions.new_id()
        # The compiler is not started: what a killed process leaves must be the same each time.
        parts = stage_all(candidates, self.target, lambda name: (id, ""), BytecodeCompiler())
        entries = []
        for name in [*parts, *remove]:
            part = parts.get(name)
            old = here.get(name)
            change = Change(name, old.version if old else None, part.version if part else None)
            entries.append(
                PendingChange(transactions.swap_of(str(self.site), change, old, part.path if part else ""), {})
            )
        publish(self.target, id, entries, ["test"], handover=handover(self.target)(id, entries))
        return id

    def install(self, *candidates: Candidate) -> None:
        transactions.apply(str(self.site), self.stage(*candidates))

    @property
    def said(self) -> Path:
        """What the last forked process wrote on stderr."""
        return self.root.with_name(self.root.name + ".stderr")

    def state(self) -> dict[str, str]:
        return tree(self.root)

    def copy(self, to: Path) -> Place:
        shutil.copytree(self.root, to, symlinks=True)
        return Place(to)

    def fork(self, action, *, at: int = -1, error: OSError | None = None, meddle=None) -> tuple[int, int]:
        """Run `action` in a forked process; before its file change number `at` kill it, raise `error`, or `meddle()`.

        Returns its exit status and how many file changes it counted.
        """
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            faulthandler.dump_traceback_later(120, exit=True)  # a fork may meet a lock that a thread has held
            _die_or_raise(action, at, error or meddle, write, self.said)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            counted = pipe.read()
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), int(counted or -1)

    def start(self, port=None, **options) -> tuple[int, int]:
        """What a starting interpreter does when it meets a companion; on another kind of file system, if `port`."""

        def finalize() -> None:
            if port:
                for path in (self.site / STATE).glob(FINALIZER + "*"):
                    sys.modules[path.name] = boot  # a companion that runs twice in a start finds the same module
                port.put_in_place()
            if any(path.name.endswith(COMPANIONS) for path in self.site.iterdir()):
                boot._done.clear()
                boot.finalize(str(self.site))
            if port and hasattr(port, "check"):
                port.check()

        return self.fork(finalize, **options)

    def leftovers(self) -> list[str]:
        return [p.name for p in self.site.iterdir() if ".part" in p.name or p.name.startswith(FINALIZER)]


def _die_or_raise(action, at: int, error, pipe: int, said: Path) -> None:
    counted = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal counted
        if is_change(event, arguments):
            counted += 1
            if counted - 1 == at:
                if error is None:
                    os._exit(KILLED)
                if not callable(error):
                    raise error
                error()

    status = 1
    try:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # not pytest's, which is somewhere else
        sys.addaudithook(hook)
        action()
        status = 0
    finally:
        total = counted
        at = -1
        os.write(pipe, str(total).encode())
        os._exit(status)


def live(place: Place, action, *, loaded: str = ""):
    """What the session does in a process whose environment is `place`, with a module of the package `loaded`."""
    from liveinstall._changes import execution  # noqa: F401  work once, and not in each forked process
    from liveinstall._environment import loaded as loaded_room
    from liveinstall._verbs import undo

    def run() -> None:
        sys.path.insert(0, str(place.site))
        sys.dont_write_bytecode = True  # no compiler: what a killed process leaves must be the same each time
        # That this process has hundreds of modules would be most of the time.
        loaded_room.loaded_files = lambda: {str(place.site / loaded / "__init__.py")}
        undo.find_targets = lambda: (place.target,)
        undo.checked_for_change = lambda target: target
        action(undo)

    return run
