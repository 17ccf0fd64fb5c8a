"""The note on an import that fails shortly after a change of the package, or of its dependencies."""

from __future__ import annotations

import re

import pytest

# A new process in which errors are explained; in a notebook the restart and `%load_ext liveinstall` enable that.
_WATCHED = "from liveinstall._frontends import import_hints\nimport_hints.watch()\n"


@pytest.fixture
def broken(env):
    """alpha was changed from 1.0, with which beta works, to 2.0."""
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0", {"beta.py": "import alpha\nalpha.late\nimport alpha.late\n"}, requires=("alpha",))
    env.wheel("gamma", "1.0", {"gamma.py": "import nothing\n"})
    env.run("li.install('alpha', 'beta', 'gamma')")
    return env


@pytest.mark.parametrize(
    "content",
    ["", "raise ValueError('size changed')", "import nothing", "from json import nothing", "import json\njson.nothing"],
)
@pytest.mark.parametrize("module", ["alpha", "beta"])
def test_an_error_at_import_after_a_change_names_the_change_and_the_way_back(broken, content, module):
    if (content, module) == ("", "alpha"):
        pytest.skip("that alpha works")
    broken.wheel("alpha", "2.0", {"alpha/__init__.py": f"{content}\n"})
    broken.run("li.install('alpha==2.0')")
    done = broken.run(f"{_WATCHED}import {module}")
    note = "alpha was changed just now (1.0 -> 2.0); go back with liveinstall.undo()"
    assert done.stderr.splitlines()[-1] == note
    broken.run("li.undo()")
    assert "changed" not in broken.run(f"{_WATCHED}import gamma").stderr


def test_what_is_older_or_has_nothing_to_do_with_it_is_not_named(broken):
    broken.wheel("alpha", "2.0", {"alpha/__init__.py": "import nothing\n"})
    broken.run("li.install('alpha==2.0')")
    assert "alpha" not in broken.run(f"{_WATCHED}import gamma").stderr.replace(str(broken.root), "")
    assert "alpha" not in broken.run(f"{_WATCHED}1 / 0").stderr.replace(str(broken.root), "")
    for stamp in (broken.site / ".liveinstall/history").iterdir():
        name, _, moment = stamp.name.rpartition(".")
        stamp.rename(stamp.with_name(f"{name}.{int(moment) - 7200 * 10**6:016}"))
    done = broken.run(f"{_WATCHED}import alpha")
    assert done.stderr.splitlines()[-1] == "alpha was changed 2 hours ago (1.0 -> 2.0); go back with liveinstall.undo()"
    for stamp in (broken.site / ".liveinstall/history").iterdir():
        name, _, moment = stamp.name.rpartition(".")
        stamp.rename(stamp.with_name(f"{name}.{int(moment) - 2 * 86400 * 10**6:016}"))
    assert "changed" not in broken.run(f"{_WATCHED}import alpha").stderr


def test_an_older_change_is_undone_by_its_name_and_a_removal_is_named(broken):
    broken.wheel("alpha", "2.0", {"alpha/__init__.py": "import nothing\n"})
    broken.run("li.install('alpha==2.0')")
    broken.wheel("delta", "1.0")
    broken.run("li.install('delta')")
    last = broken.run(f"{_WATCHED}import alpha").stderr.splitlines()[-1]
    assert re.fullmatch(r"alpha was changed just now \(1.0 -> 2.0\); go back with liveinstall.undo\('[\w-]+'\)", last)
    broken.run("li.uninstall('delta')")
    last = broken.run(f"{_WATCHED}import delta").stderr.splitlines()[-1]
    assert last == "delta was changed just now (removed); go back with liveinstall.undo()"
