"""Files of liveinstall or an engine with any bytes: a documented value or a typed error, in bounded time and memory.

`nox -s fuzz` runs it for minutes: LIVEINSTALL_FUZZ_SECONDS says how long; LIVEINSTALL_FUZZ_SEED repeats a failure.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import random
import shutil
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.capabilities import has_links
from helpers.environments import make_wheel
from helpers.fuzz import SECONDS, bounded, damage, damage_json, first_seed, monsters, put_something_odd
from helpers.in_process_site import Place

from _liveinstall_boot.layout import HISTORY, STATE, TRANSACTIONS
from liveinstall._changes.summaries import past_of
from liveinstall._engines.pip import report as pip_report
from liveinstall._engines.uv import origins as uv_origins
from liveinstall._engines.uv import report as uv_report
from liveinstall._environment.installed import in_directory, record_of
from liveinstall._frontends import rendering
from liveinstall._homes import record as home_record
from liveinstall._homes.create import home_of
from liveinstall._repair import journal
from liveinstall._repair.diagnosis import find_damage
from liveinstall._requirements.request import Request
from liveinstall._sidebyside.activation import answer_cache
from liveinstall._sidebyside.imports import code_archive_writer
from liveinstall._sidebyside.imports import index as indexes
from liveinstall._sidebyside.imports.code_archive import ArchiveOwner
from liveinstall._sidebyside.registry import files as registries
from liveinstall._sidebyside.registry import index_builder
from liveinstall._sidebyside.registry.format import Registry, Row
from liveinstall._sidebyside.store.store import Store
from liveinstall._sidebyside.wheels import record as wheel_record
from liveinstall._sidebyside.wheels.examine import examine
from liveinstall._system import lock, workplace
from liveinstall._transactions import history, requesters
from liveinstall._transactions import transaction as transactions
from liveinstall._verbs import inspection, pending, status, undo
from liveinstall.errors import LiveInstallError

LONGEST = 10.0  # seconds of one read, on a loaded machine
MOST = 150 * 2**20  # bytes that one read may allocate


@dataclass
class Reader:
    """A file, its valid content, and the function that reads it."""

    path: Path
    read: Callable[[], object]
    is_json: bool = False

    def __post_init__(self) -> None:
        self.whole = self.path.read_bytes()

    def look(self) -> type:
        """The value can be shown and pickled, like public values; its type, or that of the error."""
        try:
            value = self.read()
        except LiveInstallError as error:
            value = error
        str(value), repr(value)
        pickle.dumps(value)
        return type(value)

    def mend(self) -> None:
        if os.name == "nt":
            gc.collect()  # a file that something has mapped cannot be written there
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)
        self.path.write_bytes(self.whole)


def history_of(place: Place) -> Reader:
    place.install(place.candidate("alpha", "1.0"))
    (path,) = (place.site / STATE / HISTORY).iterdir()

    def read() -> object:
        found = [past_of(item, "") for item in history.happened(str(place.site))]
        history.prune(str(place.site), history.Limits(keep=5, days=1.0, bytes=10), spare=1)
        return found, [rendering.render_past(past) for past in found]

    return Reader(path, read)


def requests_of(place: Place) -> Reader:
    (place.site / STATE).mkdir(parents=True)
    requesters.write_requests(str(place.site), [requesters.RequesterRequirement("one", "alpha<2")])
    return Reader(place.site / STATE / "requests", lambda: requesters.read_requests(str(place.site)))


def registry_of(place: Place) -> Reader:
    store = Store.at(place.root / "store")
    entry = store.add(make_wheel(place.root / "wheels", "alpha", "1.0"))
    registry = Registry((Row("alpha", entry.path, "1.0"), Row("alpha", entry.path)), prefix=str(place.root))
    path = Path(registries.write(str(place.site), "mine", registry))

    def read() -> object:
        found = registries.read(str(place.site), "mine")
        index_builder.build(path.read_text("utf-8", "surrogateescape"), str(path), str(path.parent), store.path, [])
        return found

    return Reader(path, read)


def index_of(place: Place) -> Reader:
    index = indexes.Index((("/place", ("a.dist-info",)),), {"a": (0,)}, (("a", "1", "/place"),), (), ())
    path = place.root / "index"
    path.write_bytes(index.encode())

    def read() -> object:
        found = indexes.read_and_keep(str(path))
        if found:
            os.close(found[1])
        return found and found[0].pins

    return Reader(path, read)


def table_of(place: Place) -> Reader:
    table = {"alpha": ("alpha", "package", "alpha/__init__.py")}
    assert indexes.write_table(str(place.root), "alpha", (1, 2, 3), table)
    (path,) = (place.root / ".indexes").iterdir()
    return Reader(path, lambda: indexes.read_table(str(place.root), "alpha", (1, 2, 3)))


def answer_of(place: Place) -> Reader:
    question = answer_cache.Question(["alpha"])
    question.path = str(place.root / "answer")
    answer = answer_cache.Answer([("alpha", "1", "/place")], [], b"text", ["no_such_module"], "/site", "/store")
    Path(question.path).write_bytes(answer.encode())
    return Reader(Path(question.path), lambda: (found := question.answer()) and found.used)


def store_of(place: Place) -> Reader:
    store = Store.at(place.root / "store")
    wheel = make_wheel(place.root / "wheels", "alpha", "1.0")
    entry = store.add(wheel)
    return Reader(Path(entry.info) / "RECORD", lambda: (store.entries(), store.add(wheel)))


def mark_of_a_store(place: Place) -> Reader:
    store = Store.at(place.root / "store")
    wheel = make_wheel(place.root / "wheels", "alpha", "1.0")
    store.add(wheel)
    return Reader(Path(store.path) / "liveinstall-store", lambda: (store.entries(), store.add(wheel)))


def archive_of(place: Place) -> Reader:
    place.install(place.candidate("alpha", "1.0"))
    path = place.root / "archive"
    code_archive_writer.create(path, place.site)

    def read() -> object:
        owner = ArchiveOwner(str(path))
        for name in owner.index():
            with suppress(ImportError):
                owner.find_spec(name), owner.is_package(name)
        return code_archive_writer.check(path)

    return Reader(path, read)


def home_of_links(place: Place) -> Reader:
    path = place.root / home_record.NAME
    record = home_record.HomeRecord("3.11.7", "/usr/bin/python3", ["alpha"], [("alpha", "1.0", "/store/alpha-1.0")])
    record.links, record.files = {"bin/python": "/usr/bin/python3"}, {"pyvenv.cfg": "0" * 64}
    record.hard = {"lib/alpha.py": ("/store/alpha-1.0/alpha.py", 4711)}
    path.write_text(home_record.encode(record))

    def read() -> object:
        found = home_record.read(str(place.root))
        return found.paths(), found.directories(), rendering.render_home(home_of(str(place.root), found))

    return Reader(path, read)


REPORT = {
    "version": "1",
    "install": [
        {
            "metadata": {"name": "Alpha", "version": "1.0", "requires_dist": ["beta; extra == 'x'"]},
            "download_info": {
                "url": "https://example.org/alpha-1.0-py3-none-any.whl",
                "archive_info": {"hash": "sha256=00", "hashes": {"sha256": "00"}},
            },
            "requested": True,
            "requested_extras": ["x"],
            "is_direct": True,
        }
    ],
}


def pip_files(place: Place, name: str) -> Reader:
    paths = {each: str(place.root / each) for each in ("answer", "report", "wheels", "moves")}
    answer = {"phase": "resolve", "errors": ["ERROR: no"], "kinds": [], "unreachable": []}
    answer["status"] = int(name == "answer")
    contents = {"answer": answer, "report": REPORT, "moves": ["/checkout"]}
    for each, content in contents.items():
        Path(paths[each]).write_text(json.dumps(content))
    request = Request(("alpha",), frozenset({"alpha"}))

    def read() -> object:
        return pip_report.moved(paths["moves"]), pip_report.candidates(paths, 0, "log", request, fetched=False)

    return Reader(Path(paths[name]), read, is_json=True)


def uv_files(place: Place, name: str) -> Reader:
    target, tree = place.root / "target", place.root / "cache" / "alpha-1.0.dist-info"
    info = target / tree.name
    info.mkdir(parents=True)
    tree.mkdir(parents=True)
    (tree / "METADATA").write_text("Metadata-Version: 2.1\nName: Alpha\nVersion: 1.0\nRequires-Dist: beta\n\nBody\n")
    (info / "METADATA").symlink_to(tree / "METADATA") if has_links() else shutil.copy(tree / "METADATA", info)
    (info / "INSTALLER").write_text("uv")
    (info / "RECORD").write_text("")
    (info / "direct_url.json").write_text(json.dumps({"url": "https://u:p@h/x.zip", "archive_info": {"hashes": {}}}))
    request = Request(("alpha @ https://h/x.zip",), frozenset({"alpha"}))
    path = tree / name if name == "METADATA" else info / name
    cache = str(place.root / "cache")
    return Reader(
        path,
        lambda: uv_report.candidates(str(target), request, "log", lambda: cache),
        is_json=name.endswith("json"),
    )


def uv_lock(place: Place) -> Reader:
    path = place.root / "pylock.toml"
    wheel = '{ url = "https://h/alpha-1.0-py3-none-any.whl", hashes = { sha256 = "00" } }'
    path.write_text(f'lock-version = "1.0"\n[[packages]]\nname = "alpha"\nversion = "1.0"\nwheels = [{wheel}]\n')

    class Ended:
        def ask(self, *_: object, **__: object) -> None: ...

    lock_file = object.__new__(uv_origins.Origins)
    lock_file._lock, lock_file._child = str(path), Ended()
    return Reader(path, lock_file.read)


def wheel_of_a_cache(place: Place) -> Reader:
    wheel = make_wheel(place.root / "wheels", "alpha", "1.0")
    cache = place.root / "cache"
    examine(str(wheel), str(cache))
    path = Path(wheel_record.record_path(str(wheel), str(cache)))
    return Reader(path, lambda: wheel_record.read_record(str(wheel), str(cache)))


def note_of_work(place: Place) -> Reader:
    (place.site / STATE / TRANSACTIONS).mkdir(parents=True)
    path = place.site / STATE / "work"
    path.write_text(workplace.encode(str(place.root / "liveinstall-x"), "0" * 32))
    path.chmod(0o600)
    return Reader(path, lambda: workplace.sweep(str(place.site)))


def repair_of(place: Place) -> Reader:
    directory = place.site / STATE / journal.REPAIRED / "1"
    directory.mkdir(parents=True)
    (directory / "todo").write_text(journal.encode_todo(journal.Todo("alpha==1.0", ("alpha",))))
    return Reader(directory / "todo", lambda: list(journal.unfinished(str(place.site))))


def owner_of_a_lock(place: Place) -> Reader:
    (place.site / STATE).mkdir(parents=True)
    path = place.site / STATE / "owner"
    path.write_text(json.dumps({"pid": 1, "command": "python x"}))
    return Reader(path, lambda: lock._holder(str(place.site / STATE)), is_json=True)


def metadata_of(place: Place, name: str) -> Reader:
    place.install(place.candidate("alpha", "1.0"))
    (info,) = place.site.glob("*.dist-info")
    if name == "direct_url.json":
        (info / name).write_text(json.dumps({"url": "file:///project", "dir_info": {"editable": True}}))

    def read() -> object:
        found = list(in_directory(str(place.site)))
        for each in found:
            with suppress(LiveInstallError):
                record_of(each)
        return found, [inspection._line(each) for each in found], find_damage(place.target)

    return Reader(info / name, read, is_json=name.endswith("json"))


READERS: dict[str, Callable[[Place], Reader]] = {
    "history": history_of,
    "requests": requests_of,
    "registry": registry_of,
    "index": index_of,
    "table": table_of,
    "answer of require": answer_of,
    "entry of a store": store_of,
    "mark of a store": mark_of_a_store,
    "code archive": archive_of,
    "home": home_of_links,
    **{f"pip's {name}": lambda place, name=name: pip_files(place, name) for name in ("answer", "report", "moves")},
    **{f"uv's {name}": lambda place, name=name: uv_files(place, name) for name in ("METADATA", "direct_url.json")},
    "uv's lock": uv_lock,
    "wheel in a cache": wheel_of_a_cache,
    "note of work": note_of_work,
    "repair": repair_of,
    "owner of the lock": owner_of_a_lock,
    **{
        f"installed {name}": lambda place, name=name: metadata_of(place, name)
        for name in ("METADATA", "RECORD", "INSTALLER", "direct_url.json")
    },
}


@pytest.fixture(params=READERS)
def reader(request, tmp_path) -> Reader:
    return READERS[request.param](Place(tmp_path / "root"))


def test_a_damaged_file_gives_a_value_or_a_typed_error(reader):
    seed, before = first_seed(), reader.look()
    end, rounds = time.monotonic() + (SECONDS / len(READERS) if SECONDS > 10 else 0), 0
    while time.monotonic() < end or rounds < 40:
        seed, rounds = seed + 1, rounds + 1
        chance = random.Random(seed)
        reader.mend()
        kind = chance.random()
        if kind < 0.15:
            put_something_odd(reader.path, chance)
        elif reader.is_json and kind < 0.7:
            reader.path.write_bytes(damage_json(reader.whole, chance))
        else:
            reader.path.write_bytes(damage(reader.whole, chance))
        with bounded(LONGEST, seed):
            try:
                reader.look()
            except Exception as error:
                raise AssertionError(f"LIVEINSTALL_FUZZ_SEED={seed - 1}") from error
    reader.mend()
    assert reader.look() is before


def test_what_is_too_long_too_deep_or_has_too_many_digits_is_refused_in_little_memory(reader):
    for put in monsters(reader.whole):
        reader.mend()
        put(reader.path)
        tracemalloc.start()
        try:
            with bounded(LONGEST, put):
                reader.look()
            assert tracemalloc.get_traced_memory()[1] < MOST
        finally:
            tracemalloc.stop()


# --- whole verbs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def staged(tmp_path) -> Place:
    """A pending upgrade and a pending fresh install."""
    place = Place(tmp_path / "root")
    place.install(place.candidate("alpha", "1.0"))
    place.stage(place.candidate("alpha", "2.0"), place.candidate("beta", "1.0"))
    return place


def files_of_what_waits(site: Path) -> list[Path]:
    state = site / STATE
    return [*(state / TRANSACTIONS).iterdir(), *(state / HISTORY).iterdir(), *site.glob("*.part/.manifest")]


@pytest.fixture
def here(monkeypatch):
    """Make a directory the environment of this process, for verbs."""

    def be_at(place: Place) -> None:
        for room in (pending, status, undo):
            monkeypatch.setattr(room, "find_targets", lambda: (place.target,))
        for room in (pending, undo):
            monkeypatch.setattr(room, "checked_for_change", lambda target: target)
        monkeypatch.setattr(sys, "path", [str(place.site), *sys.path])

    return be_at


def test_verbs_over_damaged_changes_answer_or_refuse_and_the_environment_stays_usable(staged, here, tmp_path):
    seed = first_seed()
    end, rounds = time.monotonic() + (SECONDS if SECONDS > 10 else 0), 0
    before = list(sys.path)
    while time.monotonic() < end or rounds < 25:
        seed, rounds = seed + 1, rounds + 1
        chance = random.Random(seed)
        place = staged.copy(tmp_path / f"copy-{rounds}")
        sys.path[:] = before
        here(place)
        for path in chance.sample(files_of_what_waits(place.site), chance.randint(1, 2)):
            if chance.random() < 0.2:
                put_something_odd(path, chance)
            else:
                path.write_bytes(damage(path.read_bytes(), chance))
        installed = {"alpha", "gamma"}
        verbs = [status.status, pending.pending, undo.history, pending.finalize, pending.cancel, undo.undo]
        for verb in chance.sample(verbs, len(verbs)):
            with bounded(LONGEST, (seed, verb)):
                try:
                    with suppress(LiveInstallError):
                        str(verb())
                        installed -= {"alpha"} if verb is undo.undo else set()
                except Exception as error:
                    raise AssertionError(f"LIVEINSTALL_FUZZ_SEED={seed - 1} {verb.__name__}") from error
        with suppress(LiveInstallError):
            transactions.recover(str(place.site))
        place.install(place.candidate("gamma", "1.0"))
        assert (place.site / "gamma" / "__init__.py").exists(), seed
        assert installed <= {found.name for found in in_directory(str(place.site))}, seed
        shutil.rmtree(place.root, ignore_errors=os.name == "nt")  # this process may have files of it open
