"""The files of a distribution while they are not in place: in a part, or retired by a swap."""

import os
from os.path import basename, dirname, join, normpath, relpath

from .codec import StaleError, decode_manifest, is_not_ours, read, stem
from .layout import MANIFEST, PART, RETIRED, STATE


class DistributionTree:
    """The files of a distribution while they are not in place, laid out like a wheel.

    Attributes:
        root: the directory that has them.
        site_dir: the directory that the top level of the tree belongs in.
        data: the name of the data directory at the top level.
        roots: maps a wheel's schemes to absolute paths.
    """

    def __init__(self, root, site_dir, site, roots, name, version):
        self.root = root
        self.site_dir = site_dir
        self.data = stem(name, version) + ".data"
        self.roots = {scheme: normpath(join(site, path)) for scheme, path in roots.items()}

    def target(self, path):
        """The absolute path that `path`, relative to the root of the tree, belongs at. Raises StaleError."""
        first, _, rest = path.partition("/")
        if first != self.data:
            return join(self.site_dir, path)
        scheme, _, rest = rest.partition("/")
        return join(self.root_of(scheme), rest)

    def root_of(self, scheme):
        """The directory that a scheme of the data directory belongs in.

        Raises:
            StaleError: the record, which is damaged, does not name it.
        """
        if scheme not in self.roots:
            raise StaleError("it is not known where the scheme %r belongs" % scheme)
        return self.roots[scheme]

    def path_of(self, target):
        """The inverse of `target()`, for an absolute path outside of `site_dir`.

        Raises:
            StaleError: the path lies outside of the environment.
        """
        for scheme in sorted(self.roots, key=lambda scheme: -len(self.roots[scheme])):
            inner = relpath(target, self.roots[scheme])
            if not inner.startswith(os.pardir):
                return "/".join((self.data, scheme, inner.replace(os.sep, "/")))
        raise StaleError("%s lies outside of the environment" % target)


def retired_tree(site, record, change):
    """Where a swap puts the old version of a distribution that it replaces or removes."""
    root = join(site, STATE, RETIRED, record.transaction_id, stem(change.name, change.old_version) + PART)
    site_dir = normpath(join(site, dirname(change.old_info)))
    return DistributionTree(root, site_dir, site, record.roots, change.name, change.old_version)


def part_tree(site, record, change):
    """The part that a swap puts in place."""
    site_dir = normpath(join(site, dirname(change.part)))
    return DistributionTree(join(site, change.part), site_dir, site, record.roots, change.name, change.new_version)


def rows(tree):
    """The manifest of a part; raises StaleError if it is missing or damaged."""
    try:
        return decode_manifest(read(join(tree.root, MANIFEST)))
    except OSError as error:
        if not is_not_ours(error):
            raise
        raise StaleError("the part %s is gone or damaged" % basename(tree.root)) from None
