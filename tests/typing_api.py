"""Uses of the public names that a type checker must accept. It is checked, never run."""

from pathlib import Path

from packaging.requirements import Requirement

import liveinstall
from liveinstall import (
    Activation,
    Change,
    Finding,
    LiveInstallError,
    Past,
    Pending,
    Plan,
    Result,
    Status,
    Trial,
    Versions,
    owners,
)

result: Result = liveinstall.install("rich", Requirement("numpy>=2"), Path("x.whl"), upgrade=True, when="restart")
staged: tuple[Change, ...] = result.staged
versions: tuple[str | None, str | None] = (staged[0].old_version, staged[0].new_version)
result = liveinstall.install(
    requirement_files=["r.txt"], editable=Path(), groups=["dev"], script="x.py", config_settings={"k": ["v"]}, user=True
)
plan: Plan = liveinstall.plan("pandas", upgrade=True)
waiting: tuple[Pending, ...] = liveinstall.pending()
status: Status = liveinstall.status()
dropped: tuple[Change, ...] = liveinstall.cancel("numpy")
done: Result = liveinstall.finalize(force=True)
wrong: tuple[Finding, ...] = liveinstall.doctor("numpy") + liveinstall.repair("numpy", dry_run=True)
transaction: str | None = done.transaction
error: type[Exception] = LiveInstallError
past: tuple[Past, ...] = liveinstall.history()
undone: Result = liveinstall.undo(past[0].transaction)
undone = liveinstall.undo(to=past[0].transaction)
why_not: str = past[0].why_not
liveinstall.restart()
tried: Trial = liveinstall.trial("import numpy", arguments=["x"], timeout=1.5)
tried = liveinstall.trial(module="pytest", env={"A": "b"}, cwd=Path())
ended: tuple[int, str, bool] = (tried.returncode, tried.stdout, tried.ok)
result = liveinstall.install("rich", verify=True)
home: str = liveinstall.homes.create("ENV1", Requirement("rich"), store=Path("store"), no_index=True).python
heard: str = liveinstall.homes.run(Path("ENV1"), module="rich", timeout=5).stderr
stays: tuple[str, ...] = liveinstall.homes.remove("ENV1")
pruned: tuple[Past, ...] = liveinstall.prune(keep=1, days=7.5, bytes=2**30)
beside: Result = liveinstall.install("rich<14", parallel=True)
activation: Activation = liveinstall.require("rich<14", install=True)
every: Versions = liveinstall.versions("rich")
places: owners.Finder = owners.activate("x.whl", Path("vendored"), exclusive=True)
archived: owners.Archived = owners.create_archive("x.archive", Path("vendored"), stdlib=True)
stale: tuple[str, ...] = owners.check_archive(archived.path).stale


class InMemory(owners.VirtualOwner):
    def paths(self) -> list[str]:
        return ["x.py"]

    def data(self, path: str) -> bytes:
        return b""


mine: owners.Owner = InMemory("memory")
