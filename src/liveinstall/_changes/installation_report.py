"""pip's installation report (version 1), from the choice of any engine.

Format: https://pip.pypa.io/en/stable/reference/installation-report/
"""

from __future__ import annotations

import json
import os
import sys
from email.parser import HeaderParser
from zipfile import BadZipFile, ZipFile

from packaging.markers import default_environment

from liveinstall._environment.installed import finder
from liveinstall._requirements.requirement import wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from liveinstall._model import Candidate
    from liveinstall.results import Origin

STDOUT = "-"
# The fields of METADATA that may occur several times (core metadata), as named in JSON (PEP 566).
_LISTS = (
    *("platform", "supported_platform", "classifier", "requires_dist", "requires_external", "project_url"),
    *("provides_extra", "provides_dist", "obsoletes_dist", "dynamic", "license_file", "import_name"),
    "import_namespace",
)


def report_path(value: Any) -> str:
    """Validate the option `report`, before any work begins.

    Args:
        value: The value that the caller gave.

    Returns:
        The absolute path; "-" for standard output; empty for no report.

    Raises:
        RequirementError: It is not a path of a file in an existing directory.
    """
    if value is None:
        return ""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise wrong(f"report={value!r} must be a path, or - for standard output.", "report")
    if os.fspath(value) == STDOUT:
        return STDOUT
    path = os.path.abspath(os.path.expanduser(os.fsdecode(value)))
    if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path)):
        raise wrong(f"the report cannot be written to {path}.", "report", todo="Name a file in an existing directory.")
    return path


def write_report(path: str, candidates: Iterable[Candidate], origins: Mapping[str, Origin]) -> None:
    """Write the report of a resolved request.

    Args:
        path: As returned by `report_path()`.
        candidates: The distributions that the engine chose.
        origins: The origins that became known after the resolution, by name.

    Raises:
        RequirementError: The file cannot be written.
    """
    pip = finder()("pip")
    report = {
        "version": "1",
        "pip_version": pip.version if pip else "",
        "install": [_item(candidate, origins.get(candidate.name)) for candidate in candidates],
        "environment": dict(default_environment()),
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    if path == STDOUT:
        print(text, file=sys.stdout)
        return
    try:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise wrong(f"the report cannot be written to {path}: {error.strerror}.", "report") from None


def _item(candidate: Candidate, origin: Origin | None) -> dict[str, Any]:
    return {
        "download_info": candidate.direct_url or _download_info(candidate, origin),
        "is_direct": candidate.direct_url is not None,
        "is_yanked": candidate.yanked is not None,
        "requested": candidate.requested,
        **({"requested_extras": list(candidate.extras)} if candidate.extras else {}),
        "metadata": candidate.metadata or _metadata(candidate),
    }


def _download_info(candidate: Candidate, origin: Origin | None) -> dict[str, Any]:
    url = candidate.url or (origin.url if origin else "")
    sha256 = candidate.sha256 or (origin.sha256 if origin else "")
    archive = {"hash": f"sha256={sha256}", "hashes": {"sha256": sha256}} if sha256 else {}
    return {"url": url, "archive_info": archive}


def _metadata(candidate: Candidate) -> dict[str, Any]:
    """The core metadata as JSON (PEP 566), from the wheel; only the known fields if there is no wheel here yet."""
    found: dict[str, Any] = {}
    headers = HeaderParser().parsestr(_metadata_text(candidate))
    for field, value in headers.items():
        name = field.lower().replace("-", "_")
        if name in _LISTS:
            found.setdefault(name, []).append(value)
        elif name == "keywords":
            found[name] = value.replace(",", " ").split()
        else:
            found[name] = value
    if str(headers.get_payload()).strip():
        found["description"] = headers.get_payload()
    return found or {
        "metadata_version": "2.1",
        "name": candidate.name,
        "version": candidate.version,
        "requires_dist": list(candidate.requires),
    }


def _metadata_text(candidate: Candidate) -> str:
    try:
        if candidate.wheel:
            with ZipFile(candidate.wheel) as archive:
                names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
                return archive.read(names[0]).decode(errors="replace") if names else ""
        for name in os.listdir(candidate.unpacked) if candidate.unpacked else ():
            path = os.path.join(candidate.unpacked, name, "METADATA")
            if name.endswith(".dist-info") and os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as stream:
                    return stream.read()
    except (OSError, BadZipFile):  # the check of the wheel reports that, with the entry
        pass
    return ""
