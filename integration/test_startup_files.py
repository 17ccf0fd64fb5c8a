"""Real packages that run code at each start: a process uses them, others start meanwhile, and a later start swaps."""

from __future__ import annotations

import subprocess
import sys

import pytest

from integration.lib.checks import left_overs, missing_files
from integration.lib.environments import Environment, NotOfferedError, user_variables

# setuptools' line sets a finder, those of namespace packages read the caller's frame, and are named by version.
OLD = {"setuptools": "70.0.0", "zope.event": "4.6", "pytest-cov": "6.3.0", "coverage": "7.13.0", "pytest": "8.4.2"}
NEW = {"setuptools": "80.9.0", "zope.event": "5.0", "pytest-cov": "7.0.0"}
HOLD = f"""
import liveinstall, pytest_cov, setuptools, zope.event
done = liveinstall.install(*{[f"{name}=={version}" for name, version in NEW.items()]}, deps=False, quiet=True)
print(len(done.staged), flush=True)
input()
"""
SHOW = """
import importlib.metadata as metadata, sys, _distutils_hack, zope.event
print(*(metadata.version(name) for name in ("setuptools", "zope.event", "pytest-cov")))
print(".part" in _distutils_hack.__file__, ".part" in zope.event.__file__)
print(sum(type(finder).__module__ == "_distutils_hack" for finder in sys.meta_path))
"""


@pytest.fixture
def real(environment: Environment) -> Environment:
    try:
        environment.add(*(f"{name}=={version}" for name, version in OLD.items()), "pluggy", "iniconfig", "pygments")
    except NotOfferedError as error:
        pytest.skip(str(error))
    return environment


def test_starts_are_silent_and_of_one_version_before_and_after_the_swap(real: Environment) -> None:
    pipe = subprocess.PIPE
    command = [real.python, "-c", HOLD]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=user_variables()) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "3\n"
        versions = " ".join(NEW.values())
        for expected in (
            f"{versions}\nTrue True\n1\n",
            f"{versions}\nFalse False\n1\n",
            f"{versions}\nFalse False\n1\n",
        ):
            done = real.run("-W", "error", "-c", SHOW, check=True)
            assert (done.stdout, done.stderr) == (expected, "")
            if holder.poll() is None:
                holder.communicate("\n")
    assert left_overs(real.site) == [] and list(missing_files(real.site)) == []
    names = sorted(path.name for path in real.site.glob("*.pth") if sys.version_info < (3, 18))
    assert [name for name in names if "cov" in name or "4.6" in name] == ["a1_coverage.pth"]
