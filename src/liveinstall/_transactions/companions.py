"""The files that run our code at start-up: companions, the guard's .pth file, and the copy of the boot module."""

from __future__ import annotations

import marshal
import os
import stat
import sys
from _frozen_importlib_external import MAGIC_NUMBER, cache_from_source  # `importlib.util` loads more
from binascii import crc32
from contextlib import suppress
from functools import cache

import _liveinstall_boot as boot
from _liveinstall_boot import codec, files, holds, patient, recover
from _liveinstall_boot.file_access import create, read_bytes
from _liveinstall_boot.layout import COMPANIONS, FINALIZER, GUARDS, STATE
from _liveinstall_boot.ownership import owned
from liveinstall._system.durability import flush_file_system
from liveinstall._system.own_bytecode import code_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from types import CodeType

# `sitedir` is the only variable that every site.py defines for an import line, and only at the top level of the line.
_LINE = """\
import sys; exec("sys.path.insert(0, sitedir + '/{state}')\\ntry:\\n from {module} import {call}\\n\
except Exception:\\n pass\\nelse:\\n {call}(sitedir)\\nfinally:\\n sys.path.remove(sitedir + '/{state}')")
"""


def finalizer_name() -> str:
    """The import name of the copy of the boot module; it contains a checksum of the content."""
    return _module_name(_sources())


@cache
def _sources() -> dict[str, bytes]:
    """The files of the boot module, as they were when this process first needed them."""
    directory = os.path.dirname(boot.__file__)
    names = sorted(name for name in os.listdir(directory) if name.endswith(".py"))
    return {name: read_bytes(os.path.join(directory, name)) for name in names}


def _module_name(sources: dict[str, bytes]) -> str:
    return f"{FINALIZER}{crc32(b''.join(sources.values())):08x}"


def install_finalizer(site: str) -> str:
    """Copy the boot module into the state directory, unless that has been done already.

    Args:
        site: The site-packages directory.

    Returns:
        The import name of the copy.
    """
    sources = _sources()
    module = _module_name(sources)
    final = os.path.join(site, STATE, module)
    if not os.path.isdir(final):
        draft = os.path.join(site, STATE, f"draft-{module}-{os.urandom(8).hex()}")
        os.mkdir(draft)
        for name, text in sources.items():
            _write(os.path.join(draft, name), text)
        with suppress(OSError, ImportError):  # without bytecode each start compiles
            _write_bytecode(draft, final, sources)
        patient.rename(draft, final)
    return module


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(content)


def _write_bytecode(draft: str, final: str, names: Iterable[str]) -> None:
    """Write the bytecode now, so that later starts need not compile, even if they cannot write to the directory.

    It is copied from our own package, where it is cached: compiling would take as long as the rest of a small request.
    """
    cache = os.path.join(draft, "__pycache__")
    os.mkdir(cache)
    codes = {}
    for name in names:
        stem, source = name.removesuffix(".py"), os.path.join(os.path.dirname(boot.__file__), name)
        code = code_of(boot.__name__ if stem == "__init__" else f"{boot.__name__}.{stem}", source)
        codes[stem] = _relocated(code, os.path.join(final, name))  # type: ignore[arg-type]
        status = os.stat(os.path.join(draft, name))
        fields = (0, int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)  # PEP 552
        header = MAGIC_NUMBER + b"".join(field.to_bytes(4, "little") for field in fields)
        path = os.path.join(cache, os.path.basename(cache_from_source(name)))
        _write(path, header + marshal.dumps(codes[stem]))
    for modules in (boot.FOR_HOLDS, boot.FOR_VIEWS, boot.FOR_SWAPS):
        bundle = boot.encode_bundle([(name, codes[name]) for name in modules])
        _write(boot.bundle_path(draft, modules), bundle)


def _relocated(code: CodeType, path: str) -> CodeType:
    """The code as if it had been compiled from another file."""
    constants = (_relocated(each, path) if isinstance(each, type(code)) else each for each in code.co_consts)
    return code.replace(co_filename=path, co_consts=tuple(constants))


def draft(site: str, record: codec.TransactionRecord, first: AbstractSet[str]) -> dict[str, str]:
    """Write drafts of the companions of a transaction into the state directory.

    A companion is a .pth file of one ASCII line; from Python 3.18 on a .start file with an entry point (PEP 829).

    Args:
        site: The site-packages directory.
        record: The transaction.
        first: The distributions whose companion has to run before other .pth files.

    Returns:
        The path of each draft -> that of the companion.
    """
    suffix, text = companion(install_finalizer(site))
    drafts = {}
    for change in record.changes:
        name = recover.companion_stem(change) + suffix
        if change.name in first or any(own < name for own in _startup_files(site, change)):
            name = "!" + name
        drafts[_written(site, name, text)] = os.path.join(site, name)
    return drafts


def _startup_files(site: str, change: codec.SwapChange) -> set[str]:
    """The names of the .pth and .start files of the old and the new version; site.py runs those files by name."""
    names = set(os.listdir(os.path.join(site, change.part))) if change.part else set()
    if change.old_info:
        directory, info = os.path.split(os.path.join(site, change.old_info))
        with suppress(OSError, codec.StaleError):
            names |= owned(directory, codec.read(os.path.join(directory, info, "RECORD")))[0]
    return {name for name in names if name.endswith((".pth", ".start")) and "/" not in name}


def _written(site: str, name: str, text: str) -> str:
    """The path of a new file in the state directory, from which it will be renamed to `name`."""
    handle, path = create(os.path.join(site, STATE, f"{name}.draft-"))
    with open(handle, "w", encoding="ascii", newline="\n") as stream:
        stream.write(text)
    return str(path)


def companion(module: str, version: tuple[int, ...] = sys.version_info[:2]) -> tuple[str, str]:
    """Make the companion for a version of Python.

    Args:
        module: The import name of the copy of the boot module.
        version: The major and minor version of Python.

    Returns:
        The suffix and the content of the file.
    """
    if version >= (3, 18):
        return COMPANIONS[1], f"{boot.__name__}:start\n"
    return COMPANIONS[0], _LINE.format(module=module, state=STATE, call="finalize")


def set_guard(site: str, *, on: bool) -> None:
    """Write the guard's .pth file (.start from Python 3.18 on), by one rename, or remove it.

    Args:
        site: The site-packages directory.
        on: Whether to write it; False removes it.
    """
    uses_start_files = sys.version_info >= (3, 18)
    if on:
        module = install_finalizer(site)
        text = _LINE.format(module=module, state=STATE, call="guard")
        draft = _written(site, "guard", f"{boot.__name__}:start_guard\n" if uses_start_files else text)
        flush_file_system(site)
        if _is_for_all_users(site):
            holds.share(site)
        patient.replace(draft, os.path.join(site, GUARDS[uses_start_files]))
    else:
        for name in GUARDS:
            files.unlink(os.path.join(site, name))
    files.flush([site])


def _is_for_all_users(site: str) -> bool:
    """Whether this is root, guarding an environment that every user can use."""
    all_users = stat.S_IROTH | stat.S_IXOTH
    return hasattr(os, "geteuid") and os.geteuid() == 0 and os.stat(site).st_mode & all_users == all_users
