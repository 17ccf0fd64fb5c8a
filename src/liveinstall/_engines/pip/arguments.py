"""A request as arguments of pip: to resolve it, to fetch the chosen distributions, and to build editable projects."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from liveinstall._engines.local_files import constraint_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from liveinstall._requirements.request import Request

_QUIET = ("--no-input", "--disable-pip-version-check", "--no-color")
_INSTALL_ONLY = ("--only-deps", "--compile", "--no-compile", "--no-warn", "--root-user-action")


def commands(request: Request, paths: Mapping[str, str]) -> dict[str, list[str]]:
    """The arguments of pip's commands. The child process adds the chosen distributions to the last two.

    Args:
        request: The request.
        paths: The paths of `report`, `wheels`, `target` (stays empty), `src` (checkouts) and `constraints`.

    Returns:
        The arguments, by purpose: resolve, fetch, build.
    """
    shared = [*_QUIET, *_sources(request)]
    files = [word for path in request.files for word in ("--requirement", path)]
    return {
        "resolve": [
            *("install", "--dry-run", "--report", paths["report"], *shared, *_choice(request, paths), *files),
            *("--", *request.requirements),
        ],
        "fetch": ["wheel", "--no-deps", "--wheel-dir", paths["wheels"], *shared, *files, *_for_fetch(request)],
        # With --target, so that the environment would stay unchanged even if pip installed something.
        "build": [
            *("install", "--no-deps", "--ignore-installed", "--no-user", "--use-pep517", "--target", paths["target"]),
            *(*shared, *files, *_for_fetch(request)),
        ],
    }


def checkouts_home() -> str:
    """The directory of the checkouts of editable repositories, as in pip."""
    return os.path.join(sys.prefix if sys.prefix != sys.base_prefix else os.getcwd(), "src")


def _choice(request: Request, paths: Mapping[str, str]) -> Iterator[str]:
    switches = {
        "--upgrade": request.upgrade,
        "--force-reinstall": request.reinstall,
        "--no-deps": not request.deps,
        "--require-hashes": request.require_hashes,
        "--user": request.user,
        "--use-pep517": bool(request.editables),  # what has only a setup.py, too, is built by the standard's hooks
    }
    yield from (switch for switch, wanted in switches.items() if wanted)
    if request.upgrade:
        yield from ("--upgrade-strategy", request.upgrade_strategy)
    for path in constraint_files(request.constraints, paths["constraints"]):
        yield from ("--constraint", path)
    yield from ("--src", paths["src"])
    yield from request.engine_arguments
    for project in request.editables:
        yield from ("--editable", project)


def _for_fetch(request: Request) -> Iterator[str]:
    yield from (word for word in request.engine_arguments if not word.startswith(_INSTALL_ONLY))


def _sources(request: Request) -> Iterator[str]:
    """The arguments for all downloads and builds."""
    if request.no_index:
        yield "--no-index"
    if request.index_url:
        yield from ("--index-url", request.index_url)
    if request.pre:
        yield "--pre"
    for option, values in (
        ("--extra-index-url", request.extra_index_urls),
        ("--find-links", request.find_links),
        # `:all:` first: what pip reads after it is the exception to it.
        *sorted((("--only-binary", request.only_binary), ("--no-binary", request.no_binary)), key=_is_particular),
        ("--config-settings", ("=".join(pair) for pair in request.config_settings)),
    ):
        for value in values:
            yield from (option, value)


def _is_particular(option: tuple[str, tuple[str, ...]]) -> bool:
    return ":all:" not in option[1]
