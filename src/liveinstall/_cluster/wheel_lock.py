"""`lock()` and `pack()`: plan once for many environments, and fetch or build each wheel once."""

from __future__ import annotations

import hashlib
import os
import shutil
import sysconfig
import zipfile
from contextlib import suppress

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import create
from liveinstall._cluster.environment import look, python_kind
from liveinstall._cluster.steps import find_wheels
from liveinstall._cluster.values import Environment, Lock, LockedWheel, Pack
from liveinstall._engines.base import View
from liveinstall._engines.select import choose_engine
from liveinstall._environment.installed import installed
from liveinstall._environment.metadata_view import describe
from liveinstall._model import Distribution
from liveinstall._planning.graph import Node
from liveinstall._planning.satisfied import unsatisfied
from liveinstall._redact import redact
from liveinstall._requirements.request import parse_request
from liveinstall._sidebyside.store.entry import entry_name
from liveinstall._staging.part import reading
from liveinstall._staging.unpacked_wheel import UnpackedWheel
from liveinstall._system.temporary import temporary_directory
from liveinstall._system.user_cache import user_cache
from liveinstall.errors import LockError, RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Literal

    from liveinstall._model import Candidate
    from liveinstall._requirements.request import RequirementLike

_STAMP = (1980, 1, 1, 0, 0, 0)  # of the entries of a wheel that is packed here: the same content has the same hash


def lock(
    *requirements: RequirementLike,
    over: Sequence[Environment] = (),
    like: Literal["driver"] | None = None,
    engine: str = "auto",
    **options: Any,
) -> Lock:
    """Plan a request once for many environments, and fetch or build its wheels into the user's cache.

    The plan keeps what all environments have in the same version, as far as the requirements allow; it has a wheel for
    everything else. Nothing is installed.

    Args:
        *requirements: As for `install()`.
        over: The environments, as `look()` describes them there. Default: only that of this interpreter.
        like: "driver" takes the versions of this interpreter's environment for everything that it has.
        engine: As for `install()`.
        **options: Options of `install()` that concern the resolution, such as `index_url`, `constraints` or `upgrade`.

    Returns:
        The lock; it has no wheels if the environments have everything that is required.

    Raises:
        RequirementError: A requirement or an option is invalid.
        LockError: The environments have different kinds of Python or platforms, or not those of this interpreter.
        ResolutionError: No set of versions satisfies the requirements.
        EngineError: The engine failed; DownloadError and BuildError say how.
    """
    if like not in (None, "driver"):
        raise RequirementError(f"like={like!r} is not 'driver'.", requirement="")
    environments = tuple(over) or (look(),)
    check_kinds(environments)
    if like:
        pins = tuple(f"{each.name}=={each.version}" for each in installed().values() if is_public(each.version))
        options["constraints"] = (*options.get("constraints", ()), *pins)
    request = parse_request(requirements, **options)
    with temporary_directory() as directory, choose_engine(engine) as started:
        view = _view(environments, os.path.join(directory, "over"))
        work = os.path.join(directory, "work")
        os.mkdir(work)
        found = started.resolve(request, view, work, fetch=True, tell=lambda _event: None)
        wheels = tuple(sorted((_kept(each, directory) for each in found), key=lambda wheel: wheel.name))
    return Lock(wheels, tuple(map(redact, request.asked)), python_kind(), sysconfig.get_platform())


def is_public(version: str) -> bool:
    """Return whether an index may have a version; it has no local version, such as that of one's own build.

    Args:
        version: The version.
    """
    return "+" not in version


def check_kinds(environments: Iterable[Environment]) -> None:
    """Check that one lock can serve all environments, and that this interpreter can make it.

    Raises:
        LockError: One has another kind of Python or another platform; nothing was changed.
    """
    for each in environments:
        for what, theirs, here in (
            ("Python", each.python, python_kind()),
            ("the platform", each.platform, sysconfig.get_platform()),
        ):
            if theirs != here:
                raise LockError(
                    f"{what} of {each.site} is {theirs}, and here it is {here}.",
                    todo="Make the request from a Python of that kind, for the environments of that kind.",
                    name="",
                )


def _view(environments: Sequence[Environment], directory: str) -> View:
    """The engine's view: only what all environments have in the same version, by metadata that is written for it."""
    first, *others = environments
    common = (
        Distribution(name, version, "", first.requires.get(name, ()))
        for name, version in first.installed.items()
        if all(each.installed.get(name) == version for each in others) and not _is_broken(name, environments)
    )
    describe(common, directory)
    hidden = tuple(each.info for each in installed().values())
    return View(parts=(directory,), hidden=hidden)


def _is_broken(name: str, environments: Iterable[Environment]) -> bool:
    """Whether an environment has the distribution without something that it requires."""

    def is_broken(each: Environment) -> bool:
        nodes = {other: Node(version, each.requires.get(other, ())) for other, version in each.installed.items()}
        return bool(unsatisfied([name], nodes.get))

    return any(map(is_broken, environments))


def _kept(candidate: Candidate, directory: str) -> LockedWheel:
    """Put the wheel of a candidate into the cache, by its hash."""
    with reading(candidate, directory) as (archive, checked):
        name = f"{entry_name(archive, checked)}.whl"
        path = os.path.join(directory, name)
        if isinstance(archive, UnpackedWheel):
            _pack(archive, path)
        else:
            shutil.copyfile(candidate.wheel, path)
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = os.path.getsize(path)
    final = cached(digest, name)
    if not os.path.isfile(final):
        os.makedirs(os.path.dirname(final), mode=0o700, exist_ok=True)
        handle, draft = create(final + ".draft-")
        try:
            with open(handle, "wb") as target, open(path, "rb") as source:
                shutil.copyfileobj(source, target, 2**20)
            patient.replace(draft, final)
        except BaseException:
            with suppress(OSError):
                patient.unlink(draft)
            raise
    return LockedWheel(candidate.name, candidate.version, name, digest, size, candidate.requested)


def cached(digest: str, name: str) -> str:
    """Return where the cache keeps a wheel, by its hexadecimal SHA-256 and its file name."""
    return os.path.join(user_cache(), "cluster", digest, name)


def _pack(tree: UnpackedWheel, path: str) -> None:
    """Make a wheel of an unpacked one, which is all that uv keeps; its RECORD still has the hash of each file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for entry in tree.infolist():
            if not entry.is_dir():
                info = zipfile.ZipInfo(entry.filename, _STAMP)
                info.external_attr = entry.external_attr
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, tree.read(entry))


def pack(lock: Lock, wheels: Iterable[str | os.PathLike[str]] = ()) -> Pack:
    """Find the wheels of a lock on this disk, and check each by its hash.

    Args:
        lock: The lock.
        wheels: Paths of wheels, or of directories with wheels, in addition to the cache that `lock()` has filled.

    Returns:
        The wheels.

    Raises:
        LockError: One is missing, or is not the one in the lock.
    """
    known: Mapping[str, str] = {wheel.file: cached(wheel.sha256, wheel.file) for wheel in lock.wheels}
    found = find_wheels(lock, (*(path for path in known.values() if os.path.isfile(path)), *wheels))
    return Pack(lock, tuple(found[wheel.file] for wheel in lock.wheels))
