"""The files of a distribution while they are not in place: in a part, retired by a swap, or replaced."""

import os
from os.path import basename, dirname, join, normpath, relpath

from .codec import StaleError, decode_manifest, is_not_ours, read, stem
from .layout import MANIFEST, PART, REPLACED, RETIRED, STATE


class DistributionTree:
    """The files of a distribution while they are not in place, laid out like a wheel.

    Attributes:
        root: the directory that contains them, absolute.
        site_dir: the final directory of the top level of the tree, absolute.
        data: the name of the data directory at the top level.
        roots: maps a wheel's schemes to absolute paths.
    """

    def __init__(self, root, site_dir, site, roots, name, version):
        self.root = root
        self.site_dir = site_dir
        self.data = stem(name, version) + ".data"
        self.roots = {scheme: normpath(join(site, path)) for scheme, path in roots.items()}

    def target(self, path):
        """Return the final absolute path of a file; `path` is relative to the root of the tree. Raises StaleError."""
        first, _, rest = path.partition("/")
        if first != self.data:
            return join(self.site_dir, path)
        scheme, _, rest = rest.partition("/")
        return join(self.root_of(scheme), rest)

    def root_of(self, scheme):
        """Return the final directory of a scheme of the data directory.

        Raises:
            StaleError: the record lacks the scheme, because it is damaged.
        """
        if scheme not in self.roots:
            raise StaleError("it is not known where the scheme %r belongs" % scheme)
        return self.roots[scheme]

    def inner(self, target):
        """Return the path of a file, relative to the root of the tree; `target` is its final absolute path."""
        path = relpath(target, self.site_dir)
        return self.path_of(target) if path.startswith(os.pardir) else path.replace(os.sep, "/")

    def path_of(self, target):
        """Return the path of a file outside `site_dir`, relative to the root of the tree; the inverse of `target()`.

        Raises:
            StaleError: the path is outside the environment.
        """
        for scheme in sorted(self.roots, key=lambda scheme: -len(self.roots[scheme])):
            inner = relpath(target, self.roots[scheme])
            if not inner.startswith(os.pardir):
                return "/".join((self.data, scheme, inner.replace(os.sep, "/")))
        raise StaleError("%s is outside of the environment" % target)


def retired_tree(site, record, change):
    """Return the tree for the old version of a distribution that a swap replaces or removes.

    Args:
        site: the site directory.
        record: the transaction.
        change: one of its changes, with an old version.
    """
    root = join(site, STATE, RETIRED, record.transaction_id, stem(change.name, change.old_version) + PART)
    site_dir = normpath(join(site, dirname(change.old_info)))
    return DistributionTree(root, site_dir, site, record.roots, change.name, change.old_version)


def part_tree(site, record, change):
    """Return the tree of a part: the files that a swap moves into place.

    Args:
        site: the site directory.
        record: the transaction.
        change: one of its changes, with a part.
    """
    site_dir = normpath(join(site, dirname(change.part)))
    return DistributionTree(join(site, change.part), site_dir, site, record.roots, change.name, change.new_version)


def replaced_tree(site, site_dir, roots, name, version):
    """Return the tree for the files of an installed distribution at paths that another distribution owns.

    Args:
        site: the site directory.
        site_dir: the directory of its dist-info.
        roots: maps a wheel's schemes to directories, relative to `site`.
        name: the name of the distribution.
        version: its version.
    """
    root = join(site, STATE, REPLACED, stem(name, version) + PART)
    return DistributionTree(root, site_dir, site, roots, name, version)


def rows(tree):
    """Return the rows of a part's manifest; see `decode_manifest()`.

    Raises:
        StaleError: the manifest is missing or damaged.
        OSError: it cannot be read.
    """
    return decode_manifest(manifest(tree))


def manifest(tree):
    """Return the text of a part's manifest.

    Raises:
        StaleError: the manifest is missing.
        OSError: it cannot be read.
    """
    try:
        return read(join(tree.root, MANIFEST))
    except OSError as error:
        if not is_not_ours(error):
            raise
        raise StaleError("the part %s is missing or damaged" % basename(tree.root)) from None
