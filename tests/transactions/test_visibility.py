from __future__ import annotations

import importlib
import importlib.util
import pickle
import sys

import pytest

from liveinstall._transactions.visibility import StagedDistribution, _finder, explain_staged, top_level_modules
from liveinstall.errors import LiveInstallError, StagedImportError


@pytest.fixture
def staged():
    explain_staged({"only_staged": StagedDistribution("only-staged 1.0", 1795232665.1)})
    yield
    explain_staged({})
    sys.meta_path.remove(_finder)


def test_importing_a_pending_distribution_says_so(staged):
    with pytest.raises(ImportError, match="only-staged 1.0 is staged since 20.*To use the new version") as caught:
        importlib.import_module("only_staged")
    assert isinstance(caught.value, StagedImportError) and isinstance(caught.value, LiveInstallError)
    assert caught.value.name == "only_staged"
    assert pickle.loads(pickle.dumps(caught.value)).name == "only_staged"


def test_asking_whether_it_is_there_gets_a_plain_no(staged):
    assert importlib.util.find_spec("only_staged") is None
    with pytest.raises(ModuleNotFoundError, match="No module named 'never_heard'"):
        importlib.import_module("never_heard")


def test_top_level_modules_of_a_part(tmp_path):
    for name in ("pkg", "pkg-1.0.dist-info", "pkg-1.0.data", "__pycache__"):
        (tmp_path / name).mkdir()
    for name in ("mod.py", "_ext.cpython-311-x86_64-linux-gnu.so", "x.pth", ".manifest"):
        (tmp_path / name).touch()
    assert sorted(top_level_modules(str(tmp_path))) == ["__pycache__", "_ext", "mod", "pkg"]
