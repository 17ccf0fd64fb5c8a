"""One value of each public class, and the program that pickled them with version 0.1.0.

    PYTHONPATH=<tree of 0.1.0>/src python tests/data/public_values.py > tests/data/pickles_0_1_0.json

`tests/test_pickles.py` loads the pickles and compares them with the values of the current classes.
"""

from __future__ import annotations

import base64
import json
import pickle
import pickletools
from collections.abc import Callable
from importlib import import_module
from typing import Any

PROTOCOL = 4


def make_values(find: Callable[[str, str], Any]) -> dict[str, Any]:
    """Make one value of each public class.

    Args:
        find: Gives the attribute of a module, by the names that both had in 0.1.0 ("model", "Change").

    Returns:
        The values by module and class ("model.Change").
    """
    made: dict[str, Any] = {}

    def maker(module: str) -> Callable[..., Any]:
        def make(name: str, /, *arguments: Any, **details: Any) -> Any:
            value = made[f"{module}.{name}"] = find(module, name)(*arguments, **details)
            return value

        return make

    _make_results(maker("model"))
    _make_reports(maker("reports"), made)
    _make_events(maker("events"), made)
    archive = maker("parallel.archiving")
    archive("Archived", "code.archive", 3, 100, ("beta",))
    archive("ArchiveCheck", "code.archive", 3, ("gone",))
    error = maker("errors")
    for name, details in _error_details(made["model.Plan"]).items():
        error(name, "it failed.", todo="Do it.", **details)
    return made


def _make_results(make: Callable[..., Any]) -> None:
    new = make("Change", "beta", None, "1.0")
    change = make("Change", "alpha", "1.0", "2.0", make("Timing", "restart"), "in use")
    make("Target", "python", "venv", "site", "platlib", "bin", "include", "data")
    make("Distribution", "alpha", "1.0", "alpha-1.0.dist-info", ("beta",), "project")
    retired = make("Retired", "r", "alpha-1.0.dist-info", "ff", "s", {"scripts": "../bin"})
    make("Candidate", "alpha", "1.0", ("beta",), True, ("x",), "u", "ff", "w", {"url": "u"}, "y", retired, "d", True)
    make("Plan", (change, new), (new,), ("conflict",), ("note",))
    make("Result", (new,), (change,), (new,), (new,), "id", ("conflict",), ("note",), True, True, {"total": 0.5})
    make("Holder", 7, "python", 1.5, True, ("alpha",), ("alpha-2.0.part",), ("alpha",))
    pending = make("Pending", "id", (change,), 1.5, 7, "python", ("alpha>=2",), "failed", "pid 7")
    make("AllPending", (pending,))
    make("Source", "https://example.org/alpha.whl", "ff")


def _make_reports(make: Callable[..., Any], made: dict[str, Any]) -> None:
    change, origin, target = made["model.Change"], made["model.Source"], made["model.Target"]
    make("Ran", 1, "out", "err", 0.5)
    make("Trial", 0, "out", "err", 0.5, (change,), ("note",))
    make("Home", "path", "python", "3.11.7", (("alpha", "1.0"),), ("alpha",))
    make("Guard", "site", True)
    make("History", (make("Past", "id", (change,), 1.5, 7, "python", ("alpha",), {"alpha": origin}, "gone"),))
    finding = make("Finding", "missing", "alpha", "path", "lacks a file", "reinstall", "mended")
    make("Findings", (finding,))
    make("Check", ("beta needs alpha",), (finding,), (make("Stale", "alpha", "1.0", "2.0"),))
    make("Listing", (make("Listed", "alpha", "1.0", "1.0", "2.0", "project", "site"),))
    used = (make("InUse", "alpha", "1.0", "store/alpha-1.0"),)
    make("Registered", "env1", "env1.txt", used, ("alpha",), True, ("problem",), False)
    make("Versions", "alpha", "1.0", ("2.0", "1.0"), "2.0", "1.0")
    active = make("Activation", "require()", "registry.txt", used, ("conflict",), True)
    waiting, holders = (made["model.Pending"],), (made["model.Holder"],)
    make("Status", target, waiting, holders, 3, ("file",), True, active, True, "env2")


def _make_events(make: Callable[..., Any], made: dict[str, Any]) -> None:
    changes = (made["model.Change"],)
    make("Event")
    make("Planning", ("alpha",))
    make("Downloading", "alpha.whl", 1, 2)
    make("Planned", made["model.Plan"])
    make("Staging", "alpha", 1, 2)
    make("Committing", changes)
    make("Staged", changes)
    make("Done", made["model.Result"])
    make("Failed", RuntimeError("it failed"))


def _error_details(plan: Any) -> dict[str, dict[str, Any]]:
    return {
        "LiveInstallError": {},
        "RequirementError": {"requirement": "alpha=="},
        "TargetError": {"site": "site"},
        "NotWritableError": {"site": "site"},
        "ExternallyManagedError": {"site": "site"},
        "DisabledError": {},
        "DeclinedError": {"plugin": "p", "plan": plan},
        "EngineError": {"log": "log"},
        "ResolutionError": {"log": "log"},
        "ProtectedError": {"log": "log", "requesters": ("app/p",)},
        "DownloadError": {"log": "log"},
        "BuildError": {"log": "log"},
        "RequestCancelledError": {},
        "EngineTimeoutError": {"log": "log"},
        "WheelRefusedError": {"wheel": "alpha.whl", "entry": "../x"},
        "FileConflictError": {"path": "path", "owner": "beta"},
        "DamagedError": {"name": "alpha"},
        "RestartRequiredError": {"reasons": {"alpha": "in use"}},
        "StagingError": {},
        "CommitError": {},
        "LockTimeoutError": {"holder": "pid 7"},
        "NotPendingError": {},
        "UndoError": {"transaction": "id"},
        "NotHappenedError": {"transaction": "id"},
        "MovedOnError": {"transaction": "id", "name": "alpha"},
        "RetiredError": {"transaction": "id", "name": "alpha", "path": "path"},
        "CannotRestartError": {"place": "script"},
        "OwnerError": {"place": "alpha.whl"},
        "TrialError": {"stdout": "out", "stderr": "err"},
        "VerificationError": {"failures": {"alpha": "Traceback"}},
        "HomeError": {"path": "path"},
        "StagedImportError": {"name": "alpha"},
        "StoreError": {"store": "store"},
        "RegistryError": {"registry": "env1"},
        "RegistryConflictError": {"registry": "env1", "lines": ("a", "b")},
        "ActivationError": {"name": "alpha", "chains": (("beta", "alpha"),)},
        "NotStoredError": {"name": "alpha", "chains": (("beta", "alpha"),)},
        "AlreadyLoadedError": {"name": "alpha", "chains": (), "running": "1.0"},
    }


if __name__ == "__main__":
    old = make_values(lambda module, name: getattr(import_module(f"liveinstall.{module}"), name))
    pickles = {name: pickletools.optimize(pickle.dumps(value, PROTOCOL)) for name, value in old.items()}
    print(json.dumps({name: base64.b64encode(data).decode() for name, data in pickles.items()}, indent=1))
