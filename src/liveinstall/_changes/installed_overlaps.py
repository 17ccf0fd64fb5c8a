"""The paths that installed distributions share with different contents, and the files that are set aside."""

from __future__ import annotations

import os

from _liveinstall_boot import codec, trees
from _liveinstall_boot.layout import PART as PART_SUFFIX
from _liveinstall_boot.layout import REPLACED, STATE
from liveinstall._environment.claims import digest_of, overlapping
from liveinstall._model import roots_of
from liveinstall.results import Overlap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from liveinstall._model import Distribution
    from liveinstall.results import Target


class Aside:
    """The files of installed distributions that are set aside because another distribution owns their path.

    Attributes:
        target: The environment.
        root: The directory of these files, absolute.
        names: The names of the directories in it, one for each distribution.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.root = os.path.join(target.site, STATE, REPLACED)
        try:
            self.names = set(os.listdir(self.root))
        except OSError:
            self.names = set()

    def has(self, distribution: Distribution, path: str) -> bool:
        """Return whether a file is set aside.

        Args:
            distribution: The distribution that the file belongs to.
            path: The path where the file is installed, absolute.
        """
        known = codec.stem(distribution.name, distribution.version) + PART_SUFFIX in self.names
        return known and os.path.lexists(self.path(distribution, path))

    def path(self, distribution: Distribution, path: str) -> str:
        """Return the path for a file that is set aside, whether the file exists or not.

        Args:
            distribution: The distribution that the file belongs to.
            path: The path where the file is installed, absolute.
        """
        site, own_site = self.target.site, os.path.dirname(distribution.info)
        tree = trees.replaced_tree(site, own_site, roots_of(self.target), distribution.name, distribution.version)
        return os.path.join(str(tree.root), tree.inner(path))


def current_overlaps(target: Target, installed: Iterable[Distribution]) -> tuple[Overlap, ...]:
    """Find the paths that installed distributions share with different contents, by whatever tool they were installed.

    Args:
        target: The environment.
        installed: The importable distributions; those outside the environment are ignored.

    Returns:
        One overlap for each such path, sorted by path.
    """
    sites = {os.path.realpath(target.site), os.path.realpath(target.platlib)}
    ours = {each.name: each for each in installed if os.path.dirname(each.info) in sites and not each.is_legacy}
    aside = Aside(target)
    overlaps = []
    for path, digests in sorted(overlapping(ours.values()).items()):
        in_place = digest_of(path)
        owner = next((name for name in sorted(digests) if digests[name] == in_place), "")
        others = tuple(name for name in digests if digests[name] != in_place)
        kept = tuple(name for name in others if aside.has(ours[name], path))
        overlaps.append(Overlap(path, owner, others, kept))
    return tuple(overlaps)
