"""Importing the changed distributions, and loaded ones that depend on them, in a preview before the commit."""

from __future__ import annotations

import importlib.machinery
import json
import os
from dataclasses import dataclass

from liveinstall._homes.trial import trial_environment
from liveinstall._system.child_process import Child
from liveinstall._system.temporary import temporary_directory
from liveinstall.errors import EngineTimeoutError, TrialError, VerificationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from _liveinstall_boot import codec
    from liveinstall._homes.trial import TrialEnvironment
    from liveinstall.results import Target

TIMEOUT = 600.0  # seconds for all imports together
_SUFFIXES = sorted(importlib.machinery.all_suffixes(), key=len, reverse=True)
# Directories that wheels contain by accident, and that are not namespace packages.
_ACCIDENTS = {"tests", "test", "docs", "doc", "examples", "example", "benchmarks", "scripts", "bin", "tools"}


@dataclass(frozen=True)
class Verified:
    """The modules of a distribution to import; `old`: those of the replaced or unchanged version."""

    name: str
    modules: tuple[str, ...]
    old: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Failure:
    """Why a module could not be imported; `missing` is the module that was not found; may be empty."""

    module: str
    traceback: str
    missing: str = ""


def verify(
    target: Target,
    before: Sequence[codec.TransactionRecord],
    after: codec.TransactionRecord,
    wanted: Sequence[Verified],
    *,
    in_background: bool = False,
) -> tuple[str, ...]:
    """Import modules in a preview of the environment after a change.

    A module that cannot be imported is ignored if it existed before and could not be imported then either; or if it is
    new, lacks a module that no distribution requires, and its distribution has other modules that work.

    Args:
        target: The environment.
        before: The pending transactions without this change.
        after: The change, together with all pending ones.
        wanted: The modules to import.
        in_background: Whether to import at low priority, in processes that exit when this one has ended.

    Returns:
        Notes for the result, a sentence each.

    Raises:
        VerificationError: A module cannot be imported.
        TrialError: The preview cannot be made, or exceeded its timeout.
    """
    modules = list(dict.fromkeys(module for each in wanted for module in each.modules))
    failures = _failures(target, [after], modules, checked=False, in_background=in_background)
    old = [each for each in failures if _is_old(each.module, wanted)]
    names = [each.module for each in old]
    as_before = (
        {each.module for each in _failures(target, before, names, in_background=in_background)} if old else set()
    )
    optional = {each.module for each in failures if _is_optional(each, failures, wanted)}
    bad = {each.module: each.traceback for each in failures if each.module not in as_before | optional}
    if bad:
        first, text = next(iter(bad.items()))
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise VerificationError(
            f"{first}{more} cannot be imported in a preview of the changed environment:\n\n{text.rstrip()}\n\n",
            todo="Choose other versions, or omit verify=.",
            failures=bad,
        )
    notes = [f"{name} cannot be imported, nor could it before" for name in sorted(as_before)]
    missing = {each.module: each.missing for each in failures}
    return (*notes, *(f"{name} needs {missing[name]}, which no distribution requires" for name in sorted(optional)))


def import_names(paths: Iterable[str]) -> tuple[str, ...]:
    """The top-level modules of a distribution.

    Args:
        paths: The paths in its RECORD.

    Returns:
        Their names; of a namespace package, which belongs to no distribution, the names of the packages in it.
    """
    modules: dict[str, bool] = {}
    for path in paths:
        name = _module(path)
        if name is not None:
            modules[name[0]] = modules.get(name[0], False) or name[1]
    candidates = set()
    for module, is_package in modules.items():
        parents = module.split(".")[:-1]
        enclosing = [".".join(parents[:depth]) for depth in range(1, len(parents) + 1)]
        if not any(modules.get(parent) for parent in enclosing):
            candidates.add((module, is_package))
    with_packages = {module.partition(".")[0] for module, is_package in candidates if is_package and "." in module}
    return tuple(
        sorted(
            module
            for module, is_package in candidates
            if "." not in module
            or (
                module.partition(".")[0] not in _ACCIDENTS
                and (is_package or module.partition(".")[0] not in with_packages)
            )
        )
    )


def _module(path: str) -> tuple[str, bool] | None:
    """The name of the module in a file, and whether it is a package; None if the file is not a module."""
    suffix = next((suffix for suffix in _SUFFIXES if path.endswith(suffix)), "")
    parts = path.removesuffix(suffix).split("/")
    if not suffix or "__pycache__" in parts or not all(part.isidentifier() for part in parts):
        return None
    if parts[-1] == "__init__":
        return (".".join(parts[:-1]), True) if parts[1:] else None
    return ".".join(parts), False


def _is_old(module: str, wanted: Iterable[Verified]) -> bool:
    return any(module in each.old for each in wanted)


def _is_optional(failure: _Failure, failures: Sequence[_Failure], wanted: Sequence[Verified]) -> bool:
    """Whether a new module only lacks a module that no distribution requires, while other modules of its own work."""
    failed = {each.module for each in failures}
    owners = [each for each in wanted if failure.module in each.modules]
    tops = {module.partition(".")[0] for own in owners for module in own.modules}
    is_foreign = bool(failure.missing) and failure.missing.partition(".")[0] not in tops
    is_new = not _is_old(failure.module, wanted)
    return is_new and is_foreign and not any(failed.issuperset(own.modules) for own in owners)


def _failures(
    target: Target,
    records: Sequence[codec.TransactionRecord],
    modules: Sequence[str],
    *,
    checked: bool = True,
    in_background: bool,
) -> list[_Failure]:
    with trial_environment(target, records, checked=checked, held=False) as preview:
        if not checked and preview.notes:
            raise VerificationError(f"{preview.notes[0]}.", failures={})
        try:
            return _import(preview, modules, in_background=in_background)
        except OSError as error:
            raise TrialError(f"could not read the import results: {error}.") from None


def _import(preview: TrialEnvironment, modules: Sequence[str], *, in_background: bool) -> list[_Failure]:
    """Import modules one after the other in one process; if one ends the process, continue without it in another."""
    failures: list[_Failure] = []
    remaining = list(modules)
    while remaining:
        answers, outcome = _run_imports(preview, remaining, in_background=in_background)
        failures += [
            _Failure(name, answer["traceback"], answer["missing"])
            for name, answer in answers.items()
            if answer["traceback"]
        ]
        remaining = remaining[len(answers) :]
        if remaining:  # the first of these has ended the process, or has used up the time
            failures.append(_Failure(remaining.pop(0), outcome))
    return failures


def _run_imports(
    made: TrialEnvironment, modules: Sequence[str], *, in_background: bool
) -> tuple[Mapping[str, Mapping[str, str]], str]:
    """The outcome of each module until the process ended, and how it ended."""
    with temporary_directory() as directory:
        answer = os.path.join(directory, "answer")
        arguments = made.command(["-c", (_IN_BACKGROUND if in_background else "") + _IMPORT, answer, *modules])
        try:
            child = Child(arguments, env=made.variables)
            status, output = child.ask("begin" if in_background else "", timeout=TIMEOUT)
            outcome = f"{output}\nThe interpreter exited with status {status}."
        except EngineTimeoutError:
            outcome = f"It did not finish within {TIMEOUT:g} seconds."
        try:
            with open(answer, encoding="utf-8") as stream:
                lines = [json.loads(line) for line in stream if line.endswith("\n")]
        except FileNotFoundError:
            lines = []
    return {line["module"]: line for line in lines}, outcome.strip()


# Standard input stays open until the process that has started this one ends; the modules find an empty one.
_IN_BACKGROUND = """
import os, threading
def wait(handle):
    while os.read(handle, 100): pass
    os._exit(1)
threading.Thread(target=wait, args=(os.dup(0),), daemon=True).start()
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
if hasattr(os, "nice"): os.nice(10)
"""
# One line for each module, written immediately, so that those before a crash are known.
_IMPORT = """
import sys
if sys.path[0] == "" and not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
    del sys.path[0]  # the working directory, which `-c` puts first
import importlib, json, os, traceback
answer, modules = sys.argv[1], sys.argv[2:]
sys.argv[1:] = []
for name in modules:
    found = {"module": name, "traceback": "", "missing": ""}
    try:
        importlib.import_module(name)
    except BaseException as error:
        found["traceback"] = traceback.format_exc()
        found["missing"] = (getattr(error, "name", None) or "") if isinstance(error, ModuleNotFoundError) else ""
    with open(answer, "a", encoding="utf-8", errors="replace") as stream:
        stream.write(json.dumps(found) + "\\n")
os._exit(0)
"""
