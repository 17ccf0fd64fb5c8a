"""While modules of an archive are loaded, garbage is collected less often, and then as before."""

import gc
import importlib
import sys
import traceback

import pytest
from test_finder import active, lay

from liveinstall._sidebyside.imports.code_archive import ArchiveOwner
from liveinstall._sidebyside.imports.code_archive_writer import create
from liveinstall._system.gc_throttle import THRESHOLD, LoadingSpec

FILES = {
    "rare/__init__.py": "import gc\nSEEN = gc.get_threshold()\nfrom rare import inner\nAFTER = gc.get_threshold()\n",
    "rare/inner.py": "import gc\nSEEN = gc.get_threshold()\n",
    "broken.py": "1 / 0\n",
    "own.py": "import gc\ngc.set_threshold(50, 5, 5)\n",
}


pytestmark = pytest.mark.usefixtures("usual_threshold")


@pytest.fixture
def archived(tmp_path):
    made = create(tmp_path / "x.archive", lay(tmp_path / "place", FILES))
    with active(ArchiveOwner(made.path)):
        yield
    for name in ("rare", "rare.inner", "broken", "own"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("archived")
def test_it_is_collected_rarely_until_the_outermost_module_is_loaded():
    import rare

    assert isinstance(rare.__spec__, LoadingSpec)
    assert {rare.SEEN, rare.inner.SEEN, rare.AFTER} == {(THRESHOLD, 10, 10)}
    assert gc.get_threshold() == (700, 10, 10)
    assert not rare.__spec__._initializing


@pytest.mark.usefixtures("archived")
def test_a_module_that_fails_leaves_it_as_it_was_and_its_traceback_without_us():
    with pytest.raises(ZeroDivisionError) as told:
        importlib.import_module("broken")
    assert gc.get_threshold() == (700, 10, 10)
    names = [frame.filename for frame in traceback.extract_tb(told.value.__traceback__)]
    assert names[-1].endswith("broken.py") and not [name for name in names if "liveinstall/" in name.replace("\\", "/")]


@pytest.mark.usefixtures("archived")
def test_what_a_module_chooses_for_its_process_stays():
    importlib.import_module("own")
    assert gc.get_threshold() == (50, 5, 5)


@pytest.mark.usefixtures("archived")
@pytest.mark.parametrize("chosen", [(0, 10, 10), (THRESHOLD * 2, 10, 10)])
def test_who_collects_more_rarely_or_never_is_left_alone(chosen):
    gc.set_threshold(*chosen)
    import rare

    assert chosen == rare.SEEN
    assert gc.get_threshold() == chosen
