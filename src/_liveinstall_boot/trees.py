"""Where a distribution's files lie while they are away from their place."""

import os
from os.path import basename, dirname, join, normpath, relpath

from .codec import StaleError, decode_manifest, read, stem
from .layout import MANIFEST, PART, RETIRED, STATE


class DistributionTree:
    """A distribution's files away from their place, laid out like a wheel: a part, or what a swap has retired."""

    def __init__(self, root, site_dir, site, roots, name, version):
        self.root = root
        self.site_dir = site_dir  # the directory that the tree's top level belongs in
        self.data = stem(name, version) + ".data"
        self.roots = {scheme: normpath(join(site, path)) for scheme, path in roots.items()}

    def target(self, path):
        """Where `path` of this tree belongs."""
        first, _, rest = path.partition("/")
        if first != self.data:
            return join(self.site_dir, path)
        scheme, _, rest = rest.partition("/")
        return join(self.roots[scheme], rest)

    def path_of(self, target):
        """The opposite of `target()`, for a file that belongs outside of `site_dir`."""
        for scheme in sorted(self.roots, key=lambda scheme: -len(self.roots[scheme])):
            inner = relpath(target, self.roots[scheme])
            if not inner.startswith(os.pardir):
                return "/".join((self.data, scheme, inner.replace(os.sep, "/")))
        raise StaleError("%s lies outside of the environment" % target)


def retired_tree(site, record, change):
    root = join(site, STATE, RETIRED, record.transaction_id, stem(change.name, change.old_version) + PART)
    site_dir = normpath(join(site, dirname(change.old_info)))
    return DistributionTree(root, site_dir, site, record.roots, change.name, change.old_version)


def part_tree(site, record, change):
    site_dir = normpath(join(site, dirname(change.part)))
    return DistributionTree(join(site, change.part), site_dir, site, record.roots, change.name, change.new_version)


def rows(tree):
    try:
        return decode_manifest(read(join(tree.root, MANIFEST)))
    except (FileNotFoundError, NotADirectoryError):
        raise StaleError("the part %s is gone or damaged" % basename(tree.root)) from None
