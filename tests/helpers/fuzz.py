"""Damage to files: by a mutation, another program or an attacker."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from helpers.capabilities import has_links

SECONDS = float(os.environ.get("LIVEINSTALL_FUZZ_SECONDS", "6"))
PIECES = [b"\n", b"\t", b" ", b"../", b"/", b"\0", b"-1", b"end\n", b"\xff", b"9" * 400, b"nan", b"change\t"]
_NUMBER = '"a number of many digits"'
_ODD: tuple[Any, ...] = (None, True, 0, -1, 1e300, "", "x", "\ud800", "\0", [], {}, [[]], {"": {}}, ["x", 1])
_ODD += ("a number of many digits",)


def first_seed() -> int:
    """LIVEINSTALL_FUZZ_SEED repeats a failure; a short run, as of the unit tests, is always the same."""
    given = os.environ.get("LIVEINSTALL_FUZZ_SEED")
    return int(given) if given else time.time_ns() % 10**9 if SECONDS > 10 else 1


def damage(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, removed, inserted or repeated."""
    text = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randint(0, len(text))
        kind = chance.randrange(4)
        if kind == 0 and at < len(text):
            text[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del text[at : at + chance.randint(1, 40)]
        elif kind == 2:
            text[at:at] = chance.choice(PIECES)
        else:
            text[at:at] = text[max(0, at - 60) : at]
    return bytes(text)


def damage_json(data: bytes, chance: random.Random) -> bytes:
    """Valid JSON with values of other types."""
    whole = [json.loads(data)]
    for _ in range(chance.randint(1, 3)):
        at: Any = whole
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            key = chance.choice(keys)
            if isinstance(at[key], (dict, list)) and at[key] and chance.random() < 0.8:
                at = at[key]
                continue
            if isinstance(at, dict) and chance.random() < 0.2:
                del at[key]
            else:
                at[key] = deepcopy(chance.choice(_ODD))
            break
        if not whole:
            whole = [None]
    text = json.dumps(whole[0])
    return text.replace(_NUMBER, "9" * 1_000_000).encode()


def put_something_odd(path: Path, chance: random.Random) -> None:
    """Not a regular file, or noise, or nothing: also where the platform cannot make the file."""
    kind = chance.randrange(5)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == 0 and hasattr(os, "mkfifo"):
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    elif kind == 2 and has_links():
        path.symlink_to(chance.choice(["/dev/zero", "/nowhere", str(path.parent)]))
    elif kind == 3:
        path.write_bytes(chance.randbytes(chance.randint(0, 3000)))


def put_something_huge(path: Path) -> None:
    """A sparse file of 100 MB."""
    path.unlink(missing_ok=True)
    with path.open("wb") as stream:
        stream.truncate(100 * 2**20)


def monsters(data: bytes) -> Iterator[Callable[[Path], object]]:
    """Input that breaks a reader without limits: too long, too deep, too many digits."""
    yield put_something_huge
    head = data.partition(b"\n")[0] + b"\n"
    for text in (b"[" * 1_000_000, b'{"a":' * 1_000_000, b"9" * 1_000_000, b'{"a": ' + b"9" * 1_000_000 + b"}"):
        for start in (b"", head):
            yield lambda path, content=start + text: path.write_bytes(content)
    if b"{" in data:
        yield lambda path: path.write_bytes(data[: data.index(b"{")] + b'{"a":' * 100_000 + b"\nend\n")


@contextmanager
def bounded(seconds: float, seed: object) -> Iterator[None]:
    """Fail if a block takes longer."""
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds, seed
