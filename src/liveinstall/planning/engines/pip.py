"""pip as the engine: `pip install --dry-run --report` resolves, `pip wheel` fetches what the report names.

Report format: https://pip.pypa.io/en/stable/reference/installation-report/ (version 1).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from liveinstall.errors import (
    BuildError,
    DownloadError,
    EngineError,
    LiveInstallError,
    RequirementError,
    ResolutionError,
    WheelRefusedError,
)
from liveinstall.model import Candidate
from liveinstall.planning.engines.process import Child
from liveinstall.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from liveinstall.planning.engines import View
    from liveinstall.planning.requests import Request

_CHILD = str(Path(__file__).with_name("_pip_child.py"))
_QUIET = ("--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar", "off")
# Class names of pip's own exceptions; an exception's base classes count too.
_BUILD = {
    "InstallationSubprocessError",
    "MetadataGenerationFailed",
    "InstallWheelBuildError",
    "InvalidPyProjectBuildRequires",
    "MissingPyProjectBuildRequires",
    "BuildDependencyInstallError",
    "FailedToPrepareCandidate",
}
_DOWNLOAD = {
    "NetworkConnectionError",
    "HashError",
    "HashErrors",
    "RequestException",
    "OSError",
    "IncompleteDownloadError",
    "ConnectionFailedError",
    "ConnectionTimeoutError",
    "SSLMissingError",
    "SSLVerificationError",
    "ProxyConnectionError",
}
_RESOLUTION = {"DistributionNotFound", "InstallationError"}


class PipEngine:
    """pip in a child process of the running interpreter."""

    def __enter__(self) -> Self:
        """Start the child, which loads pip, so that this is done when the request is known."""
        self._child = Child([sys.executable, "-P", _CHILD, _pip_directory()])
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the child, if it has not been asked or not answered."""
        self._child.stop()

    def resolve(self, request: Request, view: View, directory: str, *, fetch: bool) -> Sequence[Candidate]:
        """See `Engine.resolve`."""
        paths = {name: os.path.join(directory, name) for name in ("request", "answer", "report", "wheels")}
        question = {
            "arguments": [
                "install",
                "--dry-run",
                "--report",
                paths["report"],
                *_QUIET,
                *_arguments(request, directory),
            ],
            "fetch_arguments": ["wheel", "--no-deps", "--wheel-dir", paths["wheels"], *_QUIET, *_sources(request)],
            "parts": list(view.parts),
            "hidden": list(view.hidden),
            "report": paths["report"],
            "answer": paths["answer"],
            "fetch": fetch,
        }
        Path(paths["request"]).write_text(json.dumps(question), encoding="utf-8")
        status, log = self._child.ask(paths["request"], timeout=request.timeout)
        try:
            answer = json.loads(Path(paths["answer"]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise EngineError(
                f"pip could not be run (status {status}).", todo=_last_words(log.strip()), log=log
            ) from error
        if answer["status"]:
            raise _failure(answer, log)
        report = json.loads(Path(paths["report"]).read_text(encoding="utf-8"))
        return [_candidate(item, paths["wheels"], fetched=fetch) for item in report["install"]]


def _pip_directory() -> str:
    """Where pip lies, for a child that would not find it by itself."""
    spec = importlib.util.find_spec("pip")
    if spec is None or not spec.origin:
        raise EngineError("pip is not installed.", todo="Install it: python -m ensurepip", log="")
    return str(Path(spec.origin).parent.parent)


def _arguments(request: Request, directory: str) -> Iterator[str]:
    switches = {
        "--upgrade": request.upgrade,
        "--force-reinstall": request.reinstall,
        "--no-deps": not request.deps,
        "--pre": request.pre,
    }
    yield from (switch for switch, wanted in switches.items() if wanted)
    for path in _constraint_files(request.constraints, directory):
        yield from ("--constraint", path)
    yield from _sources(request)
    yield "--"
    yield from request.requirements


def _sources(request: Request) -> Iterator[str]:
    if request.no_index:
        yield "--no-index"
    if request.index_url:
        yield from ("--index-url", request.index_url)
    for url in request.extra_index_urls:
        yield from ("--extra-index-url", url)
    for link in request.find_links:
        yield from ("--find-links", link)


def _constraint_files(constraints: tuple[str, ...], directory: str) -> Iterator[str]:
    """Constraints are files, or requirements such as "numpy<2", which pip only takes from a file."""
    lines = [text for text in constraints if not os.path.exists(text) and "://" not in text]
    yield from (text for text in constraints if text not in lines)
    for line in lines:
        if line.endswith((".txt", ".in", ".cfg")):
            raise RequirementError(f"there is no constraints file {line}.", requirement=line)
    if lines:
        path = Path(directory, "constraints.txt")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield str(path)


def _failure(answer: dict[str, Any], log: str) -> LiveInstallError:
    """The typed error for what ended pip; the words are pip's own."""
    words = [line.removeprefix("ERROR: ") for line in answer["errors"]] or [_last_words(log.strip())]
    words = [word for word in words if not word.startswith("Ignored the following")] or words
    message = _shorten(redact("; ".join(dict.fromkeys(" ".join(word.split()).rstrip(".") for word in words if word))))
    kinds = set(answer["kinds"])
    details: dict[str, Any] = {"log": log}
    if "InvalidWheel" in kinds:
        return WheelRefusedError(f"pip cannot read a wheel: {message}.", wheel="", entry="", **details)
    if kinds & _BUILD:
        return BuildError(f"a source distribution could not be built: {message}.", **details)
    if "DistributionNotFound" in kinds and answer["unreachable"]:
        seen = redact(" ".join(answer["unreachable"][-1].split()))
        return DownloadError(f"the index could not be reached: {seen}", todo="Check the network and retry.", **details)
    if kinds & _DOWNLOAD or answer["phase"] == "fetch":
        return DownloadError(f"a download failed: {message}.", **details)
    if kinds & _RESOLUTION:
        return ResolutionError(f"pip found no solution: {message}.", **details)
    return ResolutionError(f"pip could not resolve the request: {message}.", **details)


def _shorten(message: str) -> str:
    """Pip names every version that there is; the newest few tell as much. The whole is in the error's `log`."""
    return re.sub(r"((?:[^,;()]+, ){3})?(?:[^,;()]+, ){10,}(?=(?:[^,;()]+, ){4})", "..., ", message)


def _last_words(log: str) -> str:
    return " ".join(log.split("\n")[-5:]).strip() or "It said nothing."


def _candidate(item: dict[str, Any], wheels: str, *, fetched: bool) -> Candidate:
    from packaging.utils import canonicalize_name  # here and below: what takes time to load is loaded beside pip

    metadata, info = item["metadata"], item["download_info"]
    name, version = canonicalize_name(metadata["name"]), metadata["version"]
    return Candidate(
        name=name,
        version=version,
        requires=tuple(metadata.get("requires_dist", ())),
        requested=bool(item.get("requested")),
        extras=tuple(item.get("requested_extras", ())),
        url=redact(info["url"]),
        sha256=info.get("archive_info", {}).get("hashes", {}).get("sha256", ""),
        wheel=_local(info["url"]) or (_fetched(name, version, wheels) if fetched else ""),
        direct_url=info if item.get("is_direct") else None,
        yanked=(item.get("is_yanked") and "yanked") or None,
    )


def _local(url: str) -> str:
    """The path of a wheel that is on this disk already, or nothing."""
    if not (url.startswith("file:") and url.endswith(".whl")):
        return ""
    from urllib.request import url2pathname

    return url2pathname(unquote(urlsplit(url).path))


def _fetched(name: str, version: str, wheels: str) -> str:
    from packaging.utils import parse_wheel_filename

    for path in sorted(Path(wheels).glob("*.whl")):
        found, found_version, *_ = parse_wheel_filename(path.name)
        if found == name and str(found_version) == version:
            return str(path)
    raise DownloadError(f"pip fetched no wheel for {name} {version}.", log="")
