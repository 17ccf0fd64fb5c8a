"""`run()`: run a program in a child process with other versions than those of the default environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

from _liveinstall_boot.process import is_manager
from liveinstall._environment.installed import finder
from liveinstall._environment.target import current_site
from liveinstall._sidebyside import activate, layout
from liveinstall._sidebyside.activation.apply import write_derived
from liveinstall._sidebyside.registry.format import encode
from liveinstall._sidebyside.registry.index_builder import write_tables
from liveinstall._sidebyside.selection.choose import SelectionContext, choose, registry_for
from liveinstall._sidebyside.store.store import Store
from liveinstall._system.interpreter import executable
from liveinstall._system.package import DIRECTORY
from liveinstall._system.programs import exit_status, start_in_foreground
from liveinstall._system.temporary import temporary_directory
from liveinstall.errors import ActivationError, RequirementError
from liveinstall.events import Reporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

# Nothing of the working directory is imported before the program.
_START = (
    "import sys; sys.flags.safe_path or sys.path.pop(0); {home}"
    "from liveinstall._sidebyside.activation._program_child import main; main()"
)
_KINDS = {"-m": "module", "-c": "code"}


def run(program: Sequence[str], requirements: Sequence[str] = (), *, quiet: bool | None = None, **options: Any) -> int:
    """Run a program with versions that satisfy requirements, and fetch missing versions into the side-by-side store.

    Versions of the default environment are used if they match. A package manager is run without any of this, because
    it has to work on the environment on disk.

    Args:
        program: A script with its arguments, `-m MODULE ...` or `-c CODE ...`. The requirements in a script's inline
            metadata (PEP 723) are added.
        requirements: PEP 508 strings. Default: none.
        quiet: As for `install()`.
        **options: Options of `install()` for the sources of packages.

    Returns:
        The program's exit status; 128 plus the signal's number if a signal ended it.

    Raises:
        RequirementError: The program is missing, or a requirement is invalid.
        ActivationError: The requirements contradict each other.
        LiveInstallError: As for `install()`.
    """
    kind, target, arguments = _parse_program(program)
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001  multiprocessing does so
    if is_manager([executable(), *program]):  # start-up recognises it by its arguments, and leaves sys.path alone
        variables = {name: value for name, value in os.environ.items() if name != layout.REGISTRY_VARIABLE}
        return _wait(start_in_foreground([executable(), *flags, *program], variables))
    wanted = [*requirements, *(_script_requirements(target) if kind == "script" else ())]
    site = current_site()
    store = Store.default(site)
    with _registry(wanted, store, quiet, options) as path:
        variables = dict(os.environ)
        is_there = DIRECTORY in sys.path and site == DIRECTORY
        start = _START.format(home="" if is_there else f"sys.path.append({DIRECTORY!r}); ")
        if path and layout.is_enabled(site):
            variables[layout.REGISTRY_VARIABLE] = path
        command = [executable(), *flags, "-c", start, path, store.path, site, kind, target, *arguments]
        return _wait(start_in_foreground(command, variables))


def _wait(child: subprocess.Popen[bytes]) -> int:
    """The child's exit status. Ctrl-C and requests to terminate are left to the child."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda number, _: child.send_signal(number))
    return exit_status(child)


def _parse_program(program: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    first, *rest = program or ("",)
    if first in _KINDS:
        if not rest:
            raise RequirementError(f"{first} needs a {_KINDS[first]}.", requirement="")
        return _KINDS[first], rest[0], rest[1:]
    if not os.path.exists(first):
        raise RequirementError(f"script {first!r} does not exist.", requirement=first)
    return "script", first, rest


def _script_requirements(path: str) -> tuple[str, ...]:
    """The requirements in a script's inline metadata (PEP 723), if it has any."""
    if not os.path.isfile(path):
        return ()
    with open(path, encoding="utf-8", errors="replace") as stream:
        if "\n# /// script" not in "\n" + stream.read():
            return ()
    from liveinstall._requirements.requirement_files import read_script

    return read_script(path)


@contextmanager
def _registry(wanted: Sequence[str], store: Store, quiet: bool | None, options: dict[str, Any]) -> Iterator[str]:
    """The path of a registry that satisfies `wanted` on top of the active versions; empty if none is needed."""
    context = SelectionContext(store, finder(), activate.active())
    chosen = {}
    if wanted:
        try:
            chosen = choose(wanted, context, for_child=True)
        except ActivationError as error:
            if len(error.chains) > 1 and all(len(chain) == 1 for chain in error.chains):
                raise  # the requirements contradict each other, so fetching cannot help
            from liveinstall._sidebyside.selection.fetch import fetch  # engines, only where something is fetched

            with Reporter(quiet=quiet) as reporter:
                fetch(wanted, store, tell=reporter.tell, **options)
            chosen = choose(wanted, context, for_child=True)
    stored_places = [offer.place for offer in chosen.values() if offer.place]
    if not stored_places and not context.active:
        yield ""
        return
    write_tables(stored_places, store.path)
    text = encode(registry_for(chosen, context), [f"run --with {' '.join(wanted)}"]).encode("utf-8", "surrogateescape")
    path = write_derived(text, store.path)
    if path:
        yield path
        return
    with temporary_directory() as directory:
        path = os.path.join(directory, "run" + layout.REGISTRY)
        with open(path, "wb") as stream:
            stream.write(text)
        yield path
