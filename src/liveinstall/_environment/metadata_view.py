"""Metadata directories that only describe distributions: an engine resolves over them as if they were installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from liveinstall._model import Distribution


def describe(distributions: Iterable[Distribution], directory: str) -> None:
    """Write the metadata of distributions that are installed elsewhere.

    Args:
        distributions: The distributions; `info` may be empty.
        directory: The directory to write to, absolute; it need not exist.
    """
    for each in distributions:
        info = Path(directory, f"{each.name.replace('-', '_')}-{each.version}.dist-info")
        info.mkdir(parents=True)
        requires = "".join(f"Requires-Dist: {line}\n" for line in each.requires)
        text = f"Metadata-Version: 2.1\nName: {each.name}\nVersion: {each.version}\n{requires}\n"
        info.joinpath("METADATA").write_text(text, encoding="utf-8")
        info.joinpath("RECORD").write_text("", encoding="utf-8")
        origin = os.path.join(each.info, "direct_url.json")  # engines compare it with requirements that are URLs
        if each.info and os.path.isfile(origin):
            shutil.copyfile(origin, info / "direct_url.json")
