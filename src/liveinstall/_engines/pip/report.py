"""The request to pip's child process, and its answer, as values; imported while the child imports pip.

Report format: https://pip.pypa.io/en/stable/reference/installation-report/ (version 1).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from _liveinstall_boot.file_access import read_bytes
from liveinstall._engines.answers import read_json, text, texts, understanding
from liveinstall._engines.credentials import without_git_credentials
from liveinstall._engines.local_files import local_wheel
from liveinstall._engines.pip.arguments import checkouts_home, commands
from liveinstall._engines.pip.output import essential, unreachable, yanked_reasons
from liveinstall._engines.pip.wheel_listings import known, listed
from liveinstall._model import Candidate
from liveinstall._redact import redact, without_secret_queries
from liveinstall._requirements.offline import ADVICE, is_offline
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall.errors import (
    BuildError,
    DownloadError,
    EngineError,
    FileConflictError,
    LiveInstallError,
    RequirementError,
    ResolutionError,
    WheelRefusedError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Any

    from liveinstall._requirements.request import Request

__all__ = [
    "candidates",
    "checkouts_home",
    "commands",
    "failure",
    "forbidden",
    "known",
    "moved",
    "without_credentials",
    "write",
]

# Class names of pip's exceptions; the base classes of an exception are matched too.
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
# The advice for an option in pip's configuration that would divert a change to another environment.
_INSTEAD = {
    "user": "Use user=True (--user), or unset it.",
    "dry-run": "Use dry_run=True (--dry-run), or unset it.",
    **dict.fromkeys(("target", "prefix", "root"), "Unset it: only the running environment can be changed."),
}
_UNKNOWN_OPTION = re.compile(r"no such option: (--[\w-]+)")
_SINCE = {"--uploaded-prior-to": "pip 26.0 or newer", "--only-deps": "a newer pip"}
_BUILD_OUTPUT = re.compile(r"\[\d+ lines? of output\]\n(.*?)\n\s*[│|]?\s*\[end of output\]", re.DOTALL)
_EXCEPTION_LINE = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit)\b: \S")
_REPOSITORY_COMMAND = re.compile(r"(?:^|[;:] )(?:git|hg|svn|bzr) [^;]*exited with -?\d")
_REPOSITORY_OUTPUT = re.compile(
    r"Running command (?:git|hg|svn|bzr) [^\n]*\n((?:(?!Running command).)*?)\s*error: subprocess-exited-with-error",
    re.DOTALL,
)
_MAX_REASON = 400  # characters
_OTHER_HASH = "Accept the new hash only if you trust the file: it may have been tampered with."
_REPOSITORY = "If this is a repository, begin its address with git+, for example git+https://..."
_FULL_LOG = "The full output is in the error's `log`; the command line shows it with --debug."
_RESOLUTION = {"DistributionNotFound", "InstallationError"}


def forbidden() -> str:
    """Return the reason why the network must not be used, for pip's errors; empty if it may be used."""
    return ADVICE if is_offline() else ""


def without_credentials(request: Request) -> tuple[Request, dict[str, str]]:
    """Move the credentials of repositories to environment variables: pip would pass them to git as arguments.

    Args:
        request: The request.

    Returns:
        The request without these credentials, and the environment variables for git.
    """
    count = len(request.requirements)
    texts, variables = without_git_credentials([*request.requirements, *request.editables])
    return replace(request, requirements=tuple(texts[:count]), editables=tuple(texts[count:])), variables


def write(path: str, question: Mapping[str, Any]) -> None:
    """Write the request file for the child process.

    Args:
        path: The absolute path of the file.
        question: The request, as documented in `_pip_child`.

    Raises:
        OSError: The file cannot be written.
    """
    Path(path).write_text(json.dumps(question), encoding="utf-8")


def candidates(paths: Mapping[str, str], status: int, log: str, request: Request, *, fetched: bool) -> list[Candidate]:
    """Read pip's answer.

    Args:
        paths: The absolute paths of its files, by purpose.
        status: The exit status of the child process.
        log: Its output, without credentials.
        request: The request.
        fetched: Whether wheels were fetched.

    Returns:
        The chosen distributions.

    Raises:
        EngineError: pip failed.
    """
    try:
        answer = read_json(paths["answer"])
    except (OSError, ValueError, RecursionError):
        raise EngineError(f"pip could not be run (status {status}).", todo=_last_lines(log.strip()), log=log) from None
    with understanding("pip's answer", log):
        failed = failure(answer, log) if answer["status"] else None
    if failed:
        raise failed
    with understanding("pip's report", log):
        items = read_json(paths["report"])["install"]
        yanked = yanked_reasons(texts(answer, "warnings"))
        chosen = [_candidate(item, paths["wheels"], request.indexed, yanked, fetched=fetched) for item in items]
        return list(listed(chosen, items, paths["listings"])) if os.path.isfile(paths["listings"]) else chosen


def moved(note: str) -> list[str]:
    """Read which checkouts the child process has moved to their final directories.

    Args:
        note: The absolute path of the file that the child process writes.

    Returns:
        The absolute paths of the checkouts; empty if there is no such file.
    """
    try:
        checkouts = json.loads(read_bytes(note))
    except (OSError, ValueError, RecursionError):
        return []
    return [path for path in checkouts if isinstance(path, str)] if isinstance(checkouts, list) else []


def failure(answer: dict[str, Any], log: str) -> LiveInstallError:
    """Convert a failure of pip to a typed error with pip's message.

    Args:
        answer: The answer of the child process.
        log: Its output, without credentials.

    Returns:
        The error.
    """
    lines = [line.removeprefix("ERROR: ") for line in texts(answer, "errors")] or [_last_lines(log.strip())]
    message = _shorten(redact("; ".join(essential([*lines, *_ignored(texts(answer, "warnings"))]))))
    kinds = set(texts(answer, "kinds"))
    details: dict[str, Any] = {"log": log}
    if "Unexpected" in kinds and not kinds & _DOWNLOAD:
        return EngineError(f"pip itself failed: {message}.", todo=_FULL_LOG, **details)
    unknown = _UNKNOWN_OPTION.search(log)
    if unknown and unknown[1] in _SINCE:
        what = f"the pip of this environment does not support {unknown[1]}."
        todo = f"Omit it, or install {_SINCE[unknown[1]]}."
        return RequirementError(what, todo=todo, requirement=unknown[1], **details)
    if "InvalidWheel" in kinds:
        return WheelRefusedError(f"pip cannot read a wheel: {message}.", wheel="", entry="", **details)
    if answer["phase"] == "configuration":
        return _diverted(answer["errors"])
    if answer["phase"] == "checkout":
        return FileConflictError(
            f"the checkout {answer['errors'][-1]} exists already and is never changed.",
            todo="Check out the commit that you want in it, and pass its path as editable=.",
            path=answer["errors"][-1],
            owner="",
            **details,
        )
    if "BadCommand" in kinds or _REPOSITORY_COMMAND.search(message):
        return _repository_error(message, log)
    if (
        kinds & _BUILD or answer["phase"] == "build" or "build_editable" in message
    ):  # pip has no exception type for the last
        reason = _build_reason(log)
        text = f"{message}: {reason}" if reason and reason not in message else message
        return BuildError(f"a source distribution could not be built: {text}.", todo=_FULL_LOG, **details)
    if "DistributionNotFound" in kinds and answer["unreachable"]:
        text = redact(unreachable(answer["unreachable"][-1]))
        return DownloadError(f"the index could not be reached: {text}.", **details)
    if kinds & _DOWNLOAD or answer["phase"] == "fetch":
        return DownloadError(f"a download failed: {message}.", todo=_download_advice(kinds, message), **details)
    if kinds & _RESOLUTION:
        return ResolutionError(f"pip could not resolve the requirements: {message}.", **details)
    return EngineError(f"pip failed: {message}.", **details)


def _download_advice(kinds: AbstractSet[str], message: str) -> str:
    if kinds & {"HashError", "HashErrors"}:
        return _OTHER_HASH
    return _REPOSITORY if re.search(r"\.git(?![\w-])", message) else ""  # not a host such as github.io


def _ignored(warnings: Iterable[str]) -> list[str]:
    """The warnings about sources that pip could not use, which may be why it found nothing."""
    return [text for text in warnings if "is ignored" in text or "is being ignored" in text]


def _diverted(names: Sequence[str]) -> RequirementError:
    """The error for settings of pip that select another environment, another interpreter, or a dry run."""
    settings = []
    for name in names:
        variable = f"PIP_{name.upper().replace('-', '_')}"
        settings.append(f"the environment variable {variable}" if variable in os.environ else f"{name} in pip.conf")
    plural = "are" if len(settings) > 1 else "is"
    other = "Unset it: only files for this interpreter can be installed."
    todo = " ".join(dict.fromkeys(_INSTEAD.get(name, other) for name in names))
    what = f"{' and '.join(settings)} {plural} set, which liveinstall does not support."
    return RequirementError(what, todo=todo, requirement=names[0])


def _repository_error(message: str, log: str) -> DownloadError:
    """The error for a version control program that failed or is missing; pip reports it as a failed build."""
    if "Cannot find command" in message or "No such file" in message:
        return DownloadError(f"the repository could not be read: {message}.", todo="Install that program.", log=log)
    todo = "Check its address, the network, and that it can be read without a prompt for a password."
    outputs = _REPOSITORY_OUTPUT.findall(log)
    reason = redact(" ".join(outputs[-1].split()))[:_MAX_REASON].rstrip(".") if outputs else _build_reason(log)
    return DownloadError(f"the repository could not be read: {reason or message}.", todo=todo, log=log)


def _build_reason(log: str) -> str:
    """The reason in the output of the build backend: the exception of a traceback, or else the first paragraph."""
    blocks = _BUILD_OUTPUT.findall(log)
    lines = [line.strip(" │|") for line in blocks[-1].splitlines()] if blocks else []
    exceptions = [line for line in lines if _EXCEPTION_LINE.match(line)]
    if exceptions:
        return redact(exceptions[-1]).rstrip(".")
    errors = essential(line.partition("ERROR: ")[2] for line in lines if "ERROR: " in line)
    if errors:
        return redact("; ".join(errors))[:_MAX_REASON]
    text = "\n".join(lines).strip().partition("\n\n")[0]
    return redact(" ".join(text.split()))[:_MAX_REASON].rstrip(".")


def _shorten(message: str) -> str:
    """Shorten pip's list of all versions to the newest few. The full message is in the error's `log`."""
    return re.sub(r"((?:[^,;()]+, ){3})?(?:[^,;()]+, ){10,}(?=(?:[^,;()]+, ){4})", "..., ", message)


def _last_lines(log: str) -> str:
    return " ".join(log.split("\n")[-5:]).strip() or "It printed nothing."


def _candidate(
    item: dict[str, Any],
    wheels: str,
    indexed: Container[str],
    yanked: Mapping[tuple[str, str], str],
    *,
    fetched: bool,
) -> Candidate:
    metadata, info = item["metadata"], item["download_info"]
    info = {**info, "url": without_secret_queries(text(info, "url"))}
    name, version = canonicalize_name(text(metadata, "name")), text(metadata, "version")
    return Candidate(
        name=name,
        version=version,
        requires=texts(metadata, "requires_dist"),
        requested=bool(item.get("requested")),
        extras=texts(item, "requested_extras"),
        url=redact(info["url"]),
        sha256=_sha256(info.get("archive_info", {})),
        wheel=local_wheel(info["url"]) or (_fetched(name, version, wheels) if fetched else ""),
        direct_url=info if item.get("is_direct") and name not in indexed else None,
        yanked=yanked.get((name, version), "yanked") if item.get("is_yanked") else None,
        metadata=metadata,
    )


def _sha256(archive: dict[str, Any]) -> str:
    """The SHA-256 from `hashes`, or from `hash`, the only field that pip 22 writes."""
    algorithm, _, digest = str(archive.get("hash", "")).partition("=")
    return str((archive.get("hashes") or {}).get("sha256") or (digest if algorithm == "sha256" else ""))


def _fetched(name: str, version: str, wheels: str) -> str:
    from packaging.utils import parse_wheel_filename
    from packaging.version import Version

    for path in sorted(Path(wheels).glob("*.whl")):
        wheel_name, wheel_version, *_ = parse_wheel_filename(path.name)
        if wheel_name == name and wheel_version == Version(version):
            return str(path)
    raise DownloadError(f"pip did not fetch a wheel for {name} {version}.", log="")
