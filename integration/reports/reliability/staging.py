"""Stages into a bench from this process, quickly."""

from __future__ import annotations

from pathlib import Path

from helpers.in_process_site import Place

from integration.reports.reliability.bench import Bench
from liveinstall._model import Candidate
from liveinstall.results import Target


class _BenchPlace(Place):
    bench: Bench

    def __post_init__(self) -> None:
        pass

    @property
    def site(self) -> Path:
        return self.bench.site

    @property
    def target(self) -> Target:
        env, site = str(self.bench.env), str(self.site)
        return Target(self.bench.python, "venv", site, site, f"{env}/bin", f"{env}/include", env)


def stage(bench: Bench, version: str) -> None:
    """Publish the upgrade, or downgrade, of all to a version, as by a process that has exited since."""
    place = _BenchPlace(bench.env)
    place.bench = bench
    wheels = {name: bench.wheels / f"{name.replace('-', '_')}-{version}-py3-none-any.whl" for name in bench.names}
    place.stage(*(Candidate(name, version, (), requested=True, wheel=str(path)) for name, path in wheels.items()))
