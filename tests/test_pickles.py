"""Public values that version 0.1.0 pickled still load, and equal those of the current classes."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from importlib import import_module
from pathlib import Path

import pytest
from data.public_values import make_values

from liveinstall.errors import LiveInstallError
from liveinstall.events import Failed

DATA = Path(__file__).parent / "data"
PICKLES = json.loads((DATA / "pickles_0_1_0.json").read_text(encoding="utf-8"))
# The module of the current class, if it is another one; the name of 0.1.0 must still lead to it.
MOVED = {
    "model": "results",
    "model.Candidate": "_model",
    "model.Distribution": "_model",
    "model.Retired": "_model",
    "parallel.archiving": "owners",
}
RENAMED = {"model.Source": "Origin", "reports.InUse": "VersionInUse"}


def present(module, name):
    """The current class for a class of 0.1.0."""
    old = f"{module}.{name}"
    today = import_module(f"liveinstall.{MOVED.get(old, MOVED.get(module, module))}")
    return getattr(today, RENAMED.get(old, name))


VALUES = make_values(present)


def described(value):
    """Its class, and each attribute as text: also those that `==` ignores.

    A field that was added later is not in an old pickle, but must have a value.
    """
    names = {*getattr(value, "__dict__", ()), *getattr(value, "__dataclass_fields__", ())}
    return type(value), repr(value), {name: repr(getattr(value, name)) for name in names}


def test_every_pickle_has_its_value_and_every_value_its_pickle():
    assert PICKLES.keys() == VALUES.keys()


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_of_the_version_before_is_the_present_value(name):
    loaded = pickle.loads(base64.b64decode(PICKLES[name]))
    assert described(loaded) == described(VALUES[name])
    if not isinstance(loaded, (BaseException, Failed)):  # exceptions are equal only to themselves
        assert loaded == VALUES[name]


@pytest.mark.parametrize("name", PICKLES)
def test_a_loaded_value_can_be_shown_copied_and_pickled_again(name):
    loaded = pickle.loads(base64.b64decode(PICKLES[name]))
    assert str(loaded)
    for again in (pickle.loads(pickle.dumps(loaded)), copy.deepcopy(loaded)):
        assert (type(again), str(again)) == (type(loaded), str(loaded))
        if isinstance(loaded, LiveInstallError):
            assert again.details == loaded.details
