"""What runs our code at a start: companions, the guard's line, and the copy of the boot module that they import."""

from __future__ import annotations

import os
import py_compile
import stat
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import _liveinstall_boot as boot
from _liveinstall_boot import codec, files, holds, recover
from _liveinstall_boot.layout import COMPANIONS, FINALIZER, GUARDS, STATE
from liveinstall._system.durability import flush_file_system

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# `sitedir` is the one name that every site.py gives an import line, at the line's top level only.
_LINE = """\
import sys; exec("sys.path.insert(0, sitedir + '/{state}')\\ntry:\\n from {module} import {call}\\n\
except Exception:\\n pass\\nelse:\\n {call}(sitedir)\\nfinally:\\n sys.path.remove(sitedir + '/{state}')")
"""


def finalizer_name() -> str:
    """The import name of the copy of the boot module; it tells the content."""
    return _name(_texts())


def _texts() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(boot.__file__).parent.glob("*.py"))}


def _name(texts: dict[str, bytes]) -> str:
    return f"{FINALIZER}{zlib.crc32(b''.join(texts.values())):08x}"


def install_finalizer(site: str) -> str:
    """Put a copy of the boot module into the state directory; its import name, which tells the content."""
    texts = _texts()
    module = _name(texts)
    final = Path(site, STATE, module)
    if not final.is_dir():
        draft = Path(site, STATE, f"draft-{module}")
        files.remove_tree(str(draft))
        draft.mkdir()
        for name, text in texts.items():
            draft.joinpath(name).write_bytes(text)
        _compile(draft, final)
        draft.rename(final)
    return module


def _compile(draft: Path, final: Path) -> None:
    """So that no start has to, not even one that may not write here."""
    for path in draft.glob("*.py"):
        with suppress(py_compile.PyCompileError, OSError):
            py_compile.compile(str(path), dfile=str(final / path.name), doraise=True)


def draft(site: str, record: codec.TransactionRecord, first: AbstractSet[str]) -> list[str]:
    """Write the companions of a transaction into the state directory; their paths.

    One ASCII line each (PEP 829: from 3.18 on, and only there, an entry point in a .start file). `first`: the names
    whose companion must run before other .pth files.
    """
    suffix, text = companion(install_finalizer(site))
    drafts = []
    for change in record.changes:
        mark = "!" if change.name in first else ""
        drafts.append(os.path.join(site, STATE, mark + recover.companion_stem(change) + suffix))
        Path(drafts[-1]).write_text(text, encoding="ascii")
    return drafts


def companion(module: str, version: tuple[int, ...] = sys.version_info[:2]) -> tuple[str, str]:
    """The suffix and text of a companion for a version of Python."""
    if version >= (3, 18):
        return COMPANIONS[1], f"{boot.__name__}:start\n"
    return COMPANIONS[0], _LINE.format(module=module, state=STATE, call="finalize")


def set_guard(site: str, *, on: bool) -> None:
    """Put the guard's line into the environment, by one rename, or take it out."""
    late = sys.version_info >= (3, 18)
    if on:
        module = install_finalizer(site)
        text = _LINE.format(module=module, state=STATE, call="guard")
        draft = Path(site, STATE, "draft-guard")
        draft.write_text(f"{boot.__name__}:start_guard\n" if late else text, encoding="ascii")
        flush_file_system(site)
        if _is_for_all_users(site):
            holds.share(site)
        draft.replace(Path(site, GUARDS[late]))
    else:
        for name in GUARDS:
            Path(site, name).unlink(missing_ok=True)
    files.flush([site])


def _is_for_all_users(site: str) -> bool:
    """Whether root guards an environment that every user can run from."""
    everybody = stat.S_IROTH | stat.S_IXOTH
    return hasattr(os, "geteuid") and os.geteuid() == 0 and os.stat(site).st_mode & everybody == everybody


def is_guarded(site: str) -> bool:
    """Whether interpreters of this environment hold it from their start on."""
    return any(os.path.exists(os.path.join(site, name)) for name in GUARDS)
