"""The lists of files of wheels that are not on this disk: range requests, and their use in a plan."""

from __future__ import annotations

import json
import os
import re
import zipfile

import pytest

from liveinstall._engines.pip import _pip_wheels, wheel_listings
from liveinstall._model import Candidate, WheelListing
from liveinstall._staging.policy import start_notes

RECORD = "a/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\na-1.dist-info/RECORD,,\n"


class Response:
    def __init__(self, status, headers, content):
        self.status_code, self.headers, self.raw = status, headers, self
        self._content = content

    def read(self, size, *, decode_content):
        assert decode_content is False
        return self._content[:size]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Server:
    """One file; `asked` has the requested ranges."""

    def __init__(self, content, *, status=206, size=None):
        self.content, self.status, self.size, self.asked = content, status, size, []

    def __call__(self, url, headers):
        assert headers["Accept-Encoding"] == "identity"
        first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", headers["Range"]).groups()
        self.asked.append(headers["Range"])
        if self.status != 206:
            return Response(self.status, {"Content-Length": str(len(self.content))}, self.content)
        start = int(first) if first else max(0, len(self.content) - int(last))
        end = int(last) + 1 if first else len(self.content)
        place = f"bytes {start}-{end - 1}/{self.size or len(self.content)}"
        return Response(206, {"Content-Range": place}, self.content[start:end])


def wheel(tmp_path, *, before=0, between=0, files=0, record=RECORD):
    path = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/big", os.urandom(before))
        archive.writestr("a-1.dist-info/WHEEL", "Root-Is-Purelib: true\n")
        archive.writestr("a-1.dist-info/RECORD", record)
        archive.writestr("a/big2", os.urandom(between))
        for number in range(files):
            archive.writestr(f"a/{number}", "")
    return path.read_bytes()


def read(server):
    return _pip_wheels.listings({"a": "https://h/a.whl"}, server, lambda url: "")["a"]


EXPECTED = {"info": "a-1.dist-info", "record": RECORD, "purelib": True}


def test_of_a_usual_wheel_of_any_size_one_range_is_read(tmp_path):
    server = Server(wheel(tmp_path, before=3 * 2**20))
    assert read(server) == EXPECTED and server.asked == ["bytes=-65536"]


def test_metadata_far_from_the_end_and_a_long_directory_take_a_few_ranges_more(tmp_path):
    server = Server(wheel(tmp_path, before=2**20, between=2**20, files=3000))
    assert read(server) == EXPECTED and 2 <= len(server.asked) <= 4
    assert len(set(server.asked)) == len(server.asked)


def test_a_small_wheel_of_a_server_without_ranges_is_read_and_a_large_one_is_not(tmp_path):
    assert read(Server(wheel(tmp_path), status=200)) == EXPECTED
    server = Server(wheel(tmp_path, before=10**5), status=200)
    assert read(server) == {"why": "its server does not support range requests"} and len(server.asked) == 1


def _no_record(content):
    return content.replace(b"RECORD", b"RECXRD")


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (lambda good: Server(good, status=403), "its server answered with status 403"),
        (lambda good: Server(good, size=10), "its server does not answer range requests correctly"),
        (lambda good: Server(b""), "its server does not answer range requests correctly"),
        (lambda good: Server(b"x" * 100), "it is damaged: File is not a zip file"),
        (lambda good: Server(_no_record(good)), "it has no usable RECORD"),
    ],
)
def test_what_cannot_be_read_has_a_reason(tmp_path, server, why):
    assert read(server(wheel(tmp_path))) == {"why": why}


def test_any_other_error_and_a_server_that_does_not_answer_have_a_reason_too(tmp_path, monkeypatch):
    import threading

    def failing(url, headers):
        raise ConnectionError("https://me:secret@h/")

    assert read(failing) == {"why": "it could not be read (ConnectionError)"}
    end = threading.Event()
    monkeypatch.setattr(_pip_wheels, "_SECONDS", 0.1)
    assert read(lambda url, headers: end.wait(10)) == {"why": "its server did not answer in 0 seconds"}
    end.set()


def test_a_list_that_is_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_pip_wheels, "_MOST", 2**17)
    assert read(Server(wheel(tmp_path, files=5000))) == {"why": "its list of files is too long"}


def test_a_wheel_that_was_downloaded_anyway_is_not_asked_for(tmp_path):
    wheel(tmp_path)
    found = _pip_wheels.listings(
        {"a": "https://h/a.whl"}, None, {"https://h/a.whl": str(tmp_path / "a-1-py3-none-any.whl")}.get
    )
    assert found["a"] == EXPECTED


def test_lists_are_remembered_by_the_hash_of_the_wheel(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_listings, "_remembered", {})
    path, items = tmp_path / "listings", [{"download_info": {"url": "https://h/a.whl"}}]
    candidate = Candidate("a", "1", (), requested=True, sha256="ab")

    def listed(answer, candidate=candidate):
        path.write_text(json.dumps(answer))
        (found,) = wheel_listings.listed([candidate], items, str(path))
        return found

    expected = WheelListing("a-1.dist-info", RECORD, purelib=True)
    assert listed({"https://h/a.whl": EXPECTED}).listing == expected
    assert wheel_listings.known() == {"https://h/a.whl": "ab"}
    assert listed({}).listing == expected
    assert listed({}, Candidate("a", "1", (), requested=True, sha256="cd")).listing is None
    assert listed({"https://h/a.whl": {"why": "it is damaged"}}).unlisted == "it is damaged"
    monkeypatch.setattr(wheel_listings, "_MOST", 1)
    items[0]["download_info"]["url"] = "https://h/b.whl"
    listed({"https://h/b.whl": EXPECTED})
    assert wheel_listings.known() == {"https://h/b.whl": "ab"}


def test_a_list_is_not_remembered_without_a_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_listings, "_remembered", {})
    (tmp_path / "l").write_text(json.dumps({"https://h/a.whl": EXPECTED}))
    items = [{"download_info": {"url": "https://h/a.whl"}}]
    assert next(wheel_listings.listed([Candidate("a", "1", (), requested=True)], items, str(tmp_path / "l"))).listing
    assert wheel_listings.known() == {}


@pytest.mark.parametrize(
    "damage", ["[]", "{", '{"https://h/a.whl": {"info": 1}}', '{"https://h/a.whl": {"info": "a"}}']
)
def test_a_damaged_answer_is_an_error_that_the_engine_reports(tmp_path, damage):
    (tmp_path / "l").write_text(damage)
    items = [{"download_info": {"url": "https://h/a.whl"}}]
    with pytest.raises((ValueError, KeyError, TypeError)):
        list(wheel_listings.listed([Candidate("a", "1", (), requested=True)], items, str(tmp_path / "l")))


def test_code_that_runs_at_start_up_is_noted_for_wheels_that_are_not_on_this_disk():
    assert start_notes("a", "", ["a.pth", "a/b.pth"]) == ("a: a.pth runs at every start of Python",)


def test_a_plan_names_the_overlaps_of_wheels_that_are_only_listed_and_those_that_are_not_known(env):
    env.wheel("alpha", "1.0", {"both.py": "V = 'alpha'\n"})
    env.wheel("beta", "1.0", {"both.py": "V = 'beta!'\n", "beta.pth": "\n"})
    env.wheel("gamma", "1.0", {"gamma.py": ""})
    env.wheel("source", "1.0", {"source.py": ""})
    told = env.json("""
        from dataclasses import replace
        from liveinstall._engines.select import ENGINES
        from liveinstall._staging.wheel_files import listing_of
        class Remote(ENGINES["pip"]):
            def resolve(self, request, view, directory, *, fetch, tell, listed=False):
                found = super().resolve(request, view, directory, fetch=fetch, tell=tell, listed=listed)
                if fetch:
                    return found
                assert listed
                why = "its server does not support range requests"
                return [replace(c, wheel="", listing=listing_of(c)) if c.name == "beta" else replace(c, wheel="",
                        unlisted=why if c.name == "gamma" else "") for c in found]
        li.install("alpha")
        ENGINES["pip"] = ENGINES["uv"] = Remote
        plan = li.plan("beta", "gamma", "source")
        (one,) = plan.overlaps
        dry = li.install("beta", "gamma", dry_run=True)
        done = li.install("beta")
        print(json.dumps([os.path.basename(one.path), one.owner, one.others, plan.unlisted, plan.notes,
                          dry.unlisted, dry.overlaps == plan.overlaps == done.overlaps, done.unlisted]))
    """)
    notes = [
        "beta: beta.pth runs at every start of Python",
        "gamma: its server does not support range requests, so overlaps of its files are not known yet",
        "source: it has no wheel yet, so overlaps of its files are not known yet",
    ]
    assert told == ["both.py", "beta", ["alpha"], ["gamma", "source"], notes, ["gamma"], True, []]
