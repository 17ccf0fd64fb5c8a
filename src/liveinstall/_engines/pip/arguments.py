"""Convert a request to pip's arguments: to resolve it, fetch the chosen distributions and build editable projects."""

from __future__ import annotations

import os
import sys

from liveinstall._engines.local_files import constraint_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from liveinstall._requirements.request import Request

_QUIET = ("--no-input", "--disable-pip-version-check", "--no-color")
_INSTALL_ONLY = ("--only-deps", "--compile", "--no-compile", "--no-warn", "--root-user-action")


def commands(request: Request, paths: Mapping[str, str]) -> dict[str, list[str]]:
    """Convert a request to the arguments of pip's commands. The child adds the chosen distributions to the last two.

    Args:
        request: The request.
        paths: The absolute paths of `report`, `wheels`, `target` (stays empty), `src` (checkouts) and `constraints`.

    Returns:
        The arguments, by purpose: resolve, fetch, build.
    """
    shared = [*_QUIET, *_sources(request)]
    files = [argument for path in request.files for argument in ("--requirement", path)]
    return {
        "resolve": [
            *("install", "--dry-run", "--report", paths["report"], *shared, *_resolver_options(request, paths), *files),
            *("--", *request.requirements),
        ],
        "fetch": ["wheel", "--no-deps", "--wheel-dir", paths["wheels"], *shared, *files, *_for_fetch(request)],
        # --target keeps the environment unchanged even if pip should install something.
        "build": [
            *("install", "--no-deps", "--ignore-installed", "--no-user", "--use-pep517", "--target", paths["target"]),
            *(*shared, *files, *_for_fetch(request)),
        ],
    }


def checkouts_home() -> str:
    """Return the absolute path of the directory for checkouts of editable repositories, as in pip."""
    return os.path.join(sys.prefix if sys.prefix != sys.base_prefix else os.getcwd(), "src")


def _resolver_options(request: Request, paths: Mapping[str, str]) -> Iterator[str]:
    switches = {
        "--upgrade": request.upgrade,
        "--force-reinstall": request.reinstall,
        "--no-deps": not request.deps,
        "--require-hashes": request.require_hashes,
        "--user": request.user,
        "--use-pep517": bool(request.editables),  # build with the PEP 517 hooks even if there is only a setup.py
    }
    yield from (switch for switch, is_set in switches.items() if is_set)
    if request.upgrade:
        yield from ("--upgrade-strategy", request.upgrade_strategy)
    for path in constraint_files(request.constraints, paths["constraints"]):
        yield from ("--constraint", path)
    yield from ("--src", paths["src"])
    yield from request.engine_arguments
    for project in request.editables:
        yield from ("--editable", project)


def _for_fetch(request: Request) -> Iterator[str]:
    yield from (argument for argument in request.engine_arguments if not argument.startswith(_INSTALL_ONLY))


def _sources(request: Request) -> Iterator[str]:
    """Yield the arguments for all downloads and builds."""
    if request.no_index:
        yield "--no-index"
    if request.index_url:
        yield from ("--index-url", request.index_url)
    if request.pre:
        yield "--pre"
    for option, values in (
        ("--extra-index-url", request.extra_index_urls),
        ("--find-links", request.find_links),
        # `:all:` first: in pip, later options are exceptions to it.
        *sorted((("--only-binary", request.only_binary), ("--no-binary", request.no_binary)), key=_has_no_all),
        ("--config-settings", ("=".join(pair) for pair in request.config_settings)),
    ):
        for value in values:
            yield from (option, value)


def _has_no_all(option: tuple[str, tuple[str, ...]]) -> bool:
    return ":all:" not in option[1]
