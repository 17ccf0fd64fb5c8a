"""The plugin for Ray, without Ray: the field, the homes of a node, and what Ray's agent calls."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from helpers.environments import make_wheel

from liveinstall._cluster.ray import node_homes
from liveinstall._cluster.ray.node_homes import NodeHomes
from liveinstall._cluster.ray.requested import Requested
from liveinstall._sidebyside.store.store import Store
from liveinstall._system.user_cache import user_cache
from liveinstall.errors import RequirementError

LOG = logging.getLogger("test")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The node's store has alpha 1.0 and 2.0, and the node's packages come from there only."""
    found = Store.at(tmp_path / "store")
    for version in ("1.0", "2.0"):
        found.add(make_wheel(tmp_path / "wheels", "alpha-of-test", version))
    monkeypatch.setenv("LIVEINSTALL_STORE", str(found.path))
    return found


@pytest.fixture
def plugin(store, tmp_path, monkeypatch):
    modules = {name: ModuleType(name) for name in ("ray", "ray._private", "ray._private.runtime_env")}
    base = ModuleType("ray._private.runtime_env.plugin")
    base.RuntimeEnvPlugin = object
    for name, module in {**modules, base.__name__: base}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys, "argv", ["main.py", f"--runtime-env-dir={tmp_path / 'a b'}", "--node-id=0123456789abcdef"])
    monkeypatch.delitem(sys.modules, "liveinstall._cluster.ray.environment_plugin", raising=False)
    from liveinstall._cluster.ray.environment_plugin import Plugin

    yield Plugin()
    del sys.modules["liveinstall._cluster.ray.environment_plugin"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (3, "must be a list of requirements"),
        ("numpy", "must be a list of requirements"),
        (["numpy", ""], "must be a list of requirements"),
        ([1], "must be a list of requirements"),
        ({}, "must be a list of requirements"),
        ({"packages": "numpy"}, "must be a list of requirements"),
        ({"packages": ["numpy"], "pip_check": True, "x": 1}, "no option 'pip_check', 'x'"),
        (["numpy=2"], "numpy=2"),
        ({"packages": ["numpy"], "index_url": 3}, "index_url"),
    ],
)
def test_invalid_fields_are_refused_at_validation_and_not_before(plugin, value, says):
    with pytest.raises(ValueError, match=says):
        plugin.validate({"liveinstall": value})
    plugin.get_uris({"liveinstall": value})  # Ray's agent expects no exception here


def test_fields_that_choose_another_interpreter_are_refused(plugin):
    for other in ("pip", "uv", "conda", "py_executable", "image_uri"):
        with pytest.raises(ValueError, match=f"cannot be combined with '{other}'"):
            plugin.validate({"liveinstall": ["numpy"], other: "x"})
    plugin.validate({"liveinstall": ["numpy"], "env_vars": {"A": "1"}, "working_dir": "/w", "pip": None})


def test_equal_requests_have_one_uri(plugin):
    uri = Requested.of(["a", "b>=1"]).uri
    assert uri == Requested.of({"packages": ["b>=1", "a"]}).uri and uri.startswith("liveinstall://")
    others = (["a"], ["a", "b>=2"], {"packages": ["a", "b>=1"], "no_index": True})
    assert len({uri, *(Requested.of(each).uri for each in others)}) == 4
    assert plugin.get_uris({"liveinstall": ["a", "b>=1"], "env_vars": {"A": "1"}}) == [uri]
    assert plugin.get_uris({"pip": ["a"]}) == plugin.get_uris({}) == plugin.get_uris({"liveinstall": None}) == []


def test_an_environment_is_a_home_over_that_of_the_node_until_its_uri_is_deleted(plugin, tmp_path):
    fields = {"liveinstall": ["alpha-of-test<2"]}
    (uri,) = plugin.get_uris(fields)
    context = SimpleNamespace(py_executable=sys.executable)
    size = asyncio.run(plugin.create(uri, fields, context, LOG))
    plugin.modify_context([uri], fields, context, LOG)
    code = "import alpha_of_test, pytest, sys; print(alpha_of_test.__version__, pytest.__version__)"
    (python,) = shlex.split(context.py_executable) if os.name != "nt" else (context.py_executable,)
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.0", pytest.__version__]
    home = Path(python).parents[1]
    assert home.parent == tmp_path / "a b/liveinstall-0123456789ab"
    assert size > 1000 and asyncio.run(plugin.create(uri, fields, context, LOG)) == 0
    (home / "written by a task.txt").write_text("x")
    assert plugin.delete_uri(uri, LOG) == size and not home.exists()
    assert plugin.delete_uri(uri, LOG) == 0 and Store.at(tmp_path / "store").find("alpha-of-test")


def test_outside_of_the_agent_homes_are_in_the_users_cache(plugin, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["program.py"])
    context = SimpleNamespace(py_executable="")
    type(plugin)().modify_context(["liveinstall://1"], {}, context, LOG)
    assert user_cache() in context.py_executable and str(os.getpid()) in context.py_executable


def test_a_failure_is_one_error_with_our_text(plugin):
    for requirements, says in ((["absent-of-test"], "ResolutionError: .*absent-of-test"), (["pytest==0.1"], "Error")):
        fields = {"liveinstall": {"packages": requirements, "no_index": True}}
        with pytest.raises(RuntimeError, match=says) as caught:
            asyncio.run(plugin.create(*plugin.get_uris(fields), fields, None, LOG))
        assert caught.value.__suppress_context__


def test_another_version_of_ray_is_refused(plugin, store, tmp_path, monkeypatch):
    monkeypatch.setattr(node_homes, "_KEPT", "pytest")  # stands for Ray, which need not be installed here
    with pytest.raises(RequirementError, match=r"pytest==0\.1 was requested, but pytest has to stay at"):
        NodeHomes(str(tmp_path / "homes")).make("liveinstall://1", Requested.of(["pytest==0.1"]))
    assert not (tmp_path / "homes").exists()


def test_of_several_calls_at_once_one_makes_the_home(store, tmp_path):
    homes = NodeHomes(str(tmp_path / "homes"))
    requested = Requested.of(["alpha-of-test"])
    with ThreadPoolExecutor(6) as threads:
        sizes = list(threads.map(lambda _: homes.make(requested.uri, requested), range(6)))
    assert sorted(sizes)[:-1] == [0] * 5 and sizes.count(0) == 5
    assert os.listdir(tmp_path / "homes") == [os.path.basename(homes.path(requested.uri))]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_agent_leaves_nothing_that_the_next_one_trips_over(store, tmp_path):
    requested = Requested.of(["alpha-of-test"])
    code = (
        "import os, signal, sys\n"
        "from liveinstall._cluster.ray.node_homes import NodeHomes\n"
        "from liveinstall._cluster.ray.requested import Requested\n"
        "import liveinstall._homes.create as create\n"
        "name = sys.argv[2]\n"
        "setattr(create, name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))\n"
        "NodeHomes(sys.argv[1]).make(sys.argv[3], Requested.of(['alpha-of-test']))\n"
    )
    homes = NodeHomes(str(tmp_path / "homes"))
    for step in ("make", "flush_file_system"):
        command = [sys.executable, "-c", code, str(tmp_path / "homes"), step, requested.uri]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        assert not os.path.lexists(homes.path(requested.uri))
    assert homes.make(requested.uri, requested) > 0
    assert os.listdir(tmp_path / "homes") == [os.path.basename(homes.path(requested.uri))]
