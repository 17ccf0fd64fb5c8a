from __future__ import annotations

import os
import sys
import sysconfig

import pytest

from liveinstall._environment import target as module
from liveinstall._environment.target import find_target
from liveinstall.errors import ExternallyManagedError, NotWritableError, RequirementError, TargetError


def test_the_running_environment_is_found():
    target = find_target(for_change=False)
    assert target.python == sys.executable
    assert target.site == os.path.realpath(sysconfig.get_path("purelib"))
    assert target.home(purelib=True) == target.site and target.home(purelib=False) == target.platlib


def test_a_frozen_interpreter_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(TargetError, match="frozen.*nothing was downloaded"):
        find_target()


def test_a_zipped_interpreter_is_refused(monkeypatch):
    monkeypatch.setattr(os, "__file__", "/usr/lib/python311.zip/os.py")
    with pytest.raises(TargetError, match="archive"):
        find_target()


def managed(monkeypatch, tmp_path, text):
    (tmp_path / "EXTERNALLY-MANAGED").write_text(text)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    real = sysconfig.get_path
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path) if name == "stdlib" else real(name))
    monkeypatch.delenv("PIP_BREAK_SYSTEM_PACKAGES", raising=False)


def test_an_externally_managed_environment_is_refused_in_its_own_words(monkeypatch, tmp_path):
    managed(monkeypatch, tmp_path, "[externally-managed]\nError=Use apt.\n")
    with pytest.raises(ExternallyManagedError, match="Use apt."):
        find_target()


@pytest.mark.parametrize("text", ["", "garbage [", "[externally-managed]\n"])
def test_a_marker_without_words_is_refused_in_ours(monkeypatch, tmp_path, text):
    managed(monkeypatch, tmp_path, text)
    with pytest.raises(ExternallyManagedError, match="virtual environment"):
        find_target()


def test_pips_own_switch_allows_it(monkeypatch, tmp_path):
    managed(monkeypatch, tmp_path, "[externally-managed]\nError=Use apt.\n")
    monkeypatch.setenv("PIP_BREAK_SYSTEM_PACKAGES", "1")
    monkeypatch.setattr(module, "_is_writable", lambda target: True)
    assert find_target().kind == "system"


def test_a_system_that_cannot_be_written_means_the_user_site(monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(module.site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(module, "_check_externally_managed", lambda target: None)
    monkeypatch.setattr(module, "_is_writable", lambda target: target.kind == "user")
    assert find_target().kind == "user"


def test_the_option_allows_it_too(monkeypatch, tmp_path):
    managed(monkeypatch, tmp_path, "[externally-managed]\nError=Use apt.\n")
    monkeypatch.setattr(module, "_is_writable", lambda target: True)
    assert find_target(break_system_packages=True).kind == "system"


def test_the_user_site_is_chosen_on_request(monkeypatch):
    monkeypatch.setattr(module, "_check_externally_managed", lambda target: None)
    monkeypatch.setattr(module, "_is_writable", lambda target: True)
    monkeypatch.setattr(module.site, "ENABLE_USER_SITE", True)
    target = find_target(user=True, for_change=False)
    assert target.kind == "user" and target.site == os.path.realpath(sysconfig.get_path("purelib", f"{os.name}_user"))


def test_the_user_site_is_refused_where_it_is_not_seen(monkeypatch, env):
    monkeypatch.setattr(module.site, "ENABLE_USER_SITE", False)
    with pytest.raises(RequirementError, match="user=True.*disabled.*Omit user="):
        find_target(user=True, for_change=False)
    env.wheel("alpha", "1.0")
    done = env.run("li.install('alpha', user=True)")
    assert "disabled in this virtual environment" in done.stderr and env.versions() == {}


def test_what_cannot_be_written_is_refused(monkeypatch):
    monkeypatch.setattr(module.site, "ENABLE_USER_SITE", False)
    monkeypatch.setattr(module, "_check_externally_managed", lambda target: None)
    monkeypatch.setattr(module, "_is_writable", lambda target: False)
    with pytest.raises(NotWritableError, match="cannot be written.*python -m venv"):
        find_target()


def test_without_site_packages_only_finalize_works(env):
    done = env.run(
        """
        from liveinstall._environment.target import find_target
        print(find_target(for_change=False).site)
        try: li.install("x")
        except li.errors.TargetError as error: print("-S" in str(error))
        """,
        "-S",
    )
    assert done.stdout == f"{env.site.resolve()}\nTrue\n", done.stderr
