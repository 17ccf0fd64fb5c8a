"""Objects that cannot be kept over a restart: each kind is named, with the reason, before the restart."""

from __future__ import annotations

import asyncio
import contextvars
import io
import mmap
import queue
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import types
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from liveinstall._frontends.restart.variable_groups import group


def generator():
    yield 1


async def coroutine():
    pass


async def agenerator():
    yield 1


def traceback():
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__


def unstarted():
    """A coroutine that is closed here, so that there is no warning that it was never awaited."""
    made = coroutine()
    made.close()
    return made


KINDS = {
    "file": (lambda: open(__file__), "open file"),
    "binary file": (lambda: open(__file__, "rb"), "open file"),
    "mapped file": (lambda: mmap.mmap(-1, 10), "mapped file"),
    "archive": (lambda: zipfile.ZipFile(io.BytesIO(), "w"), "open file"),
    "socket": (socket.socket, "open connection"),
    "database": (lambda: sqlite3.connect(":memory:"), "open connection"),
    "cursor": (lambda: sqlite3.connect(":memory:").cursor(), "open connection"),
    "TLS": (lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "TLS"),
    "thread": (threading.Thread, "thread"),
    "pool": (lambda: ThreadPoolExecutor(1), "pool of threads"),
    "process": (lambda: subprocess.Popen([sys.executable, "-c", ""]), "process"),
    "lock": (threading.Lock, "lock"),
    "rlock": (threading.RLock, "lock"),
    "event": (threading.Event, "lock"),
    "queue": (queue.Queue, "queue"),
    "simple queue": (queue.SimpleQueue, "lock"),
    "generator": (generator, "generator"),
    "async generator": (agenerator, "generator"),
    "coroutine": (unstarted, "coroutine"),
    "frame": (sys._getframe, "frame"),
    "traceback": (traceback, "traceback"),
    "memoryview": (lambda: memoryview(b"x"), "view of memory"),
    "weak reference": (lambda: weakref.ref(group), "weak reference"),
    "context variable": (lambda: contextvars.ContextVar("x"), "context variable"),
    "module": (lambda: types.ModuleType("made_here"), "the module made_here, which cannot be imported"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_named_with_its_reason_alone_and_within_another_object(kind):
    make, reason = KINDS[kind]
    value = make()
    groups, lost = group({"it": value, "box": {"deep": [value]}, "number": 1})
    assert [each.names for each in groups] == [("number",)]
    assert lost["it"].startswith("it is ") and reason in lost["it"]
    assert lost["box"].startswith("it contains ") and reason in lost["box"]
    if hasattr(value, "wait") and hasattr(value, "pid"):
        value.wait()
    for opened in (value, getattr(value, "connection", None)):  # a cursor's own close() leaves its connection open
        if hasattr(opened, "close"):
            opened.close()


def test_tasks_and_event_loops_are_named():
    async def made():
        task = asyncio.get_running_loop().create_future()
        return group({"task": task, "loop": asyncio.get_running_loop()})[1]

    lost = asyncio.run(made())
    assert "event loop" in lost["task"] and "event loop" in lost["loop"]


def test_what_is_only_in_memory_is_kept():
    groups, lost = group(
        {"a": io.BytesIO(b"x"), "b": io.StringIO("x"), "c": iter([1, 2]), "d": range(3), "e": slice(1)}
    )
    assert len(groups) == 5 and not lost


def test_what_works_with_one_version_only_is_named_if_that_changes():
    class BaseGroupBy:
        __module__, __qualname__ = "pandas.core.groupby.groupby", "BaseGroupBy"

    class Artist:
        __module__, __qualname__ = "matplotlib.artist", "Artist"

    class Line(Artist):
        pass

    for value, name, reason in ((BaseGroupBy(), "pandas", "a grouping"), (Line(), "matplotlib", "a part of one")):
        assert reason in group({"it": [value]}, changed={name})[1]["it"]
        assert reason not in str(group({"it": [value]}, changed={"numpy"})[1])
