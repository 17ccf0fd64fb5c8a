"""Convert a request to uv's arguments. Options that uv does not support are refused."""

from __future__ import annotations

import os

from liveinstall._engines.local_files import constraint_files
from liveinstall._redact import redact
from liveinstall.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from liveinstall._requirements.request import Request
    from liveinstall._requirements.sources import Sources

_OURS = ("--target", "-t", "--prefix", "--python", "-p", "--system", "--user", "--link-mode", "--dry-run", "--exact")


def arguments(request: Request, directory: str) -> Iterator[str]:
    """Convert a request to the arguments of `uv pip install`.

    Args:
        request: The request.
        directory: The absolute path of the directory to write constraints files into.

    Yields:
        The arguments, with `--` before the requirements.

    Raises:
        RequirementError: uv does not support an option or a requirement.
    """
    _check(request)
    yield from _upgrades(request)
    switches = {
        "--reinstall": request.reinstall,
        "--no-deps": not request.deps,
        "--require-hashes": request.require_hashes,
    }
    yield from (switch for switch, is_set in switches.items() if is_set)
    if request.pre:
        yield "--prerelease=allow"
    written = os.path.join(directory, "constraints.txt")
    yield from (f"--constraints={path}" for path in constraint_files(request.constraints, written))
    yield from source_options(request.sources)
    yield from (f"--config-setting={key}={value}" for key, value in request.config_settings)
    yield from map(_uv_spelling, request.engine_arguments)
    yield from (f"--requirements={path}" for path in request.files)
    yield from (f"--group={group}" for group in request.groups)
    yield from (f"--editable={project}" for project in request.editables)
    yield "--"
    yield from request.requirements


def source_options(sources: Sources) -> Iterator[str]:
    """Yield the arguments for the sources of packages, and for the choice between wheels and source distributions."""
    if sources.no_index:
        yield "--no-index"
    if sources.index_url:
        yield f"--default-index={sources.index_url}"
    yield from (f"--index={url}" for url in sources.extra_index_urls)
    yield from (f"--find-links={link}" for link in sources.find_links)
    for option, names in (("--only-binary", sources.only_binary), ("--no-binary", sources.no_binary)):
        yield from (f"{option}={name.strip()}" for text in names for name in text.split(",") if name.strip())


def _upgrades(request: Request) -> Iterator[str]:
    """The arguments for pip's upgrade strategies; `uv --upgrade` alone upgrades everything, as pip's "eager" does."""
    if request.upgrade and request.upgrade_strategy == "eager":
        yield "--upgrade"
    elif request.upgrade:
        yield from (f"--upgrade-package={name}" for name in sorted(request.names))


def _uv_spelling(argument: str) -> str:
    """An argument for pip as uv spells it."""
    name, equals, value = argument.partition("=")
    return f"--exclude-newer={value}" if name == "--uploaded-prior-to" and equals else argument


def _check(request: Request) -> None:
    if request.upgrade and request.upgrade_strategy != "eager" and (request.files or request.groups):
        raise RequirementError(
            "uv cannot upgrade the requirements of a requirements file or group without their dependencies.",
            todo='Use upgrade_strategy="eager", which upgrades the dependencies, too, or engine="pip".',
            requirement="",
        )
    for project in request.editables:
        if "+" in project.partition("://")[0].rpartition("@")[2]:
            raise RequirementError(
                f"uv cannot install a repository in editable mode: {redact(project)}.",
                todo='Clone it and pass its directory as editable=, or use engine="pip".',
                requirement=redact(project),
            )
    if "--only-deps" in request.engine_arguments:
        what = "uv cannot install only the dependencies (--only-deps)."
        raise RequirementError(
            what, todo='Use engine="pip", with a pip that has the option.', requirement="--only-deps"
        )
    for argument in request.engine_arguments:
        if argument.partition("=")[0] in _OURS:
            what = f"{argument} cannot be passed to uv: liveinstall itself selects the environment."
            raise RequirementError(what, todo="Omit it.", requirement=argument)
