"""A site directory without an interpreter: installs, stages and swaps run in this process, kills in others.

Those are forked ones. Where there is no fork(), a start is a new process, errors occur in this one, and other tests are
skipped.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.utils import canonicalize_name

import _liveinstall_boot as boot
from _liveinstall_boot import codec, ownership
from _liveinstall_boot.layout import COMPANIONS, FINALIZER, OWNER, STATE, TRANSACTIONS
from _liveinstall_boot.process import boot as identity
from helpers import started
from helpers.environments import make_wheel, tree
from helpers.started import Counter
from liveinstall._changes.shared_files import handover
from liveinstall._environment.installed import in_directory
from liveinstall._model import Candidate
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.stage import stage_all
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.pending import publish
from liveinstall._transactions.published import PendingChange
from liveinstall.results import Change, Target

KILLED = started.KILLED

if os.name == "nt":  # a launcher contains the time of its creation, and tests compare trees that were staged twice
    zipfile.time = SimpleNamespace(time=lambda: 1e9, localtime=time.localtime)


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

    def stage(self, *candidates: Candidate, remove: tuple[str, ...] = (), recent: bool = False) -> str:
        """Publish one transaction that installs the candidates and removes `remove`; its id.

        Unless `recent`, as if everything had been installed long ago, so that it is planned what to remove.
        """
        transactions.new_id()
        (self.site / STATE / TRANSACTIONS).mkdir(parents=True, exist_ok=True)
        here = {found.name: found for found in in_directory(str(self.site))}
        id = transactions.new_id()
        # The compiler is not started: a killed process must leave the same files each time.
        parts = stage_all(candidates, self.target, lambda name: (id, ""), BytecodeCompiler())
        entries = []
        for name in [*parts, *remove]:
            part = parts.get(name)
            old = here.get(name)
            change = Change(name, old.version if old else None, part.version if part else None)
            entries.append(
                PendingChange(transactions.swap_of(str(self.site), change, old, part.path if part else ""), {})
            )
        with pytest.MonkeyPatch.context() as patch:
            if not recent:
                patch.setattr(ownership, "_RECENT", 0)
            self.change_state()
            publish(self.target, id, entries, ["test"], handover=handover(self.target)(id, entries))
        return id

    def change_state(self) -> None:
        """Change the state directory later than all others, as a request does."""
        time.sleep(0.01)  # times are exact to some milliseconds
        (self.site / STATE / OWNER).touch()
        (self.site / STATE / OWNER).unlink()

    def install(self, *candidates: Candidate) -> None:
        transactions.apply(str(self.site), self.stage(*candidates))

    @property
    def said(self) -> Path:
        """The stderr of the last forked process."""
        return self.root.with_name(self.root.name + ".stderr")

    def state(self) -> dict[str, str]:
        return tree(self.root)

    def copy(self, to: Path) -> Place:
        """A copy that counts as the original, so that what is planned for that is not ignored."""
        shutil.copytree(self.root, to, symlinks=True)
        copy = Place(to)
        for path in (copy.site / STATE / TRANSACTIONS).glob("*.pending"):
            with suppress(codec.StaleError):
                record = codec.decode_record(path.read_text(encoding="utf-8"))
                for name, fields in record.retire.items():
                    if ownership.planned(str(self.site), fields) is not None:
                        record.retire[name] = copy._planned(fields)
                        assert ownership.planned(str(copy.site), record.retire[name]) is not None
                path.write_text(codec.encode_record(record), encoding="utf-8")
        return copy

    def _planned(self, fields: list[str]) -> list[str]:
        """A plan with this directory's identity and times."""
        _, _, count, *paths = fields
        directories = [field.partition(" ")[2] for field in paths[int(count) :]]
        listed = [f"{(self.site / path).stat().st_ctime_ns} {path}" for path in directories]
        fields = [identity(str(self.site)), count, *paths[: int(count)], *listed]
        return [ownership._checksum(fields), *fields]

    def fork(self, action, *, at: int = -1, error: OSError | None = None, meddle=None) -> tuple[int, int]:
        """Run `action` in a forked process; before its file change number `at` kill it, raise `error`, or `meddle()`.

        Returns its exit status and how many file changes it counted.
        """
        if not hasattr(os, "fork"):
            pytest.skip("needs fork()")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            faulthandler.dump_traceback_later(120, exit=True)  # a fork may inherit a lock that a thread has held
            _die_or_raise(action, at, error or meddle, write, self.said)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            counted = pipe.read()
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), int(counted or -1)

    def attempt(self, action, **options) -> tuple[int, int]:
        """As `fork()`, for an action that changes only files; without fork() errors are raised in this process."""
        if hasattr(os, "fork"):
            return self.fork(action, **options)
        counter = Counter(options.get("at", -1), options.get("error"))
        with _relay.counting(counter):
            try:
                action()
            except Exception:
                return 1, counter.counted
        return 0, counter.counted

    def start(self, port=None, **options) -> tuple[int, int]:
        """Do what a start of Python does with a companion; on another kind of file system, if `port`."""

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

        if port or "meddle" in options or hasattr(os, "fork"):
            return self.fork(finalize, **options)
        return self._start_anew(**options)

    def _start_anew(self, *, at: int = -1, error: OSError | None = None) -> tuple[int, int]:
        """Do the same in a new process."""
        code = error.errno if error else 0
        command = [sys.executable, "-I", started.__file__, str(self.site), str(at), str(code)]
        with self.said.open("w") as stderr:
            done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=120)
        return done.returncode, int(done.stdout or -1)

    def leftovers(self) -> list[str]:
        return [p.name for p in self.site.iterdir() if ".part" in p.name or p.name.startswith(FINALIZER)]


def _die_or_raise(action, at: int, error, pipe: int, said: Path) -> None:
    counter = Counter(at, error)
    status = 1
    try:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # not that of pytest, which is another one
        sys.addaudithook(counter)
        action()
        status = 0
    finally:
        total = counter.counted
        counter.at = -1
        os.write(pipe, str(total).encode())
        os._exit(status)


class Relay:
    """An audit hook, which Python cannot remove; it calls a counter only in a `with` block."""

    counter = None

    def __call__(self, event: str, arguments: tuple) -> None:
        if self.counter:
            try:
                self.counter(event, arguments)
            except OSError:
                if event == "open" and isinstance(arguments[0], int):
                    os.close(arguments[0])  # as by a stream that cannot be written
                raise

    @contextmanager
    def counting(self, counter: Counter):
        if self.counter is None:
            sys.addaudithook(self)
        self.counter = counter
        try:
            yield
        finally:
            self.counter = Counter(-1, None)


_relay = Relay()


def live(place: Place, action, *, loaded: str = ""):
    """Act as a session in a process with the environment `place`, with a module of the package `loaded`."""
    from liveinstall._changes import execution  # noqa: F401  work once, and not in each forked process
    from liveinstall._environment import loaded as loaded_room
    from liveinstall._verbs import undo

    def run() -> None:
        sys.path.insert(0, str(place.site))
        sys.dont_write_bytecode = True  # no compiler: a killed process must leave the same files each time
        # The hundreds of modules of this process would take most of the time.
        loaded_room.loaded_files = lambda: {str(place.site / loaded / "__init__.py")}
        undo.find_targets = lambda: (place.target,)
        undo.checked_for_change = lambda target: target
        action(undo)

    return run
