"""Changes to pip in its child process, by replacing functions of its own; `_pip_child` imports this after pip.

Each is for a purpose that pip has no option for. The names are those of pip 22 to 26; where a later version has others,
the change has no effect, or pip ends with an error before anything is changed.
"""

import os
import re
import shutil
import urllib.parse


def stay_offline(why):
    """Refuse pip's access to pages, files and repositories on the network; child processes of pip are not affected."""
    from pip._internal.exceptions import NetworkConnectionError
    from pip._internal.network.session import PipSession
    from pip._internal.vcs.versioncontrol import VersionControl
    from pip._vendor.requests.exceptions import RetryError  # every version of pip continues if a page raises it

    request, obtain = PipSession.request, VersionControl.obtain

    def refusing(self, method, url, *arguments, **options):
        if not url.lower().startswith("file:"):
            raise RetryError("%s is not on this disk. %s" % (url, why))
        return request(self, method, url, *arguments, **options)

    def obtaining(self, dest, url, *arguments, **options):
        if not re.match(r"(?i)(\w+\+)?file:", url.secret):
            raise NetworkConnectionError("%s is not on this disk. %s" % (url, why))
        return obtain(self, dest, url, *arguments, **options)

    PipSession.request, VersionControl.obtain = refusing, obtaining


def collect_credentials(arguments):
    """Collect credentials by host while pip runs: of requested URLs, or else the only ones in the arguments."""
    from pip._internal.cli.req_command import RequirementCommand

    def netlocs(urls):
        return [tuple(urllib.parse.urlsplit(url).netloc.rpartition("@")[::2]) for url in urls if "://" in url]

    pairs = {(user, host) for user, host in netlocs(arguments) if user}
    get_requirements = RequirementCommand.get_requirements
    known = {host: user for user, host in pairs if [each for _, each in pairs].count(host) == 1}

    def collecting(self, *arguments):
        requirements = get_requirements(self, *arguments)
        links = [requirement.link.url for requirement in requirements if requirement.link]
        known.update({host: user for user, host in netlocs(links) if user})
        return requirements

    RequirementCommand.get_requirements = collecting
    return known


def skip_listed_requirements():
    """Use only the options of requirements files from now on: their requirements are resolved and checked already."""
    from pip._internal.cli.req_command import RequirementCommand

    get_requirements = RequirementCommand.get_requirements

    def unlisted(self, args, options, *rest):
        requirements = get_requirements(self, args, options, *rest)
        listed = {requirement.name: requirement for requirement in requirements if requirement.comes_from}
        kept = [requirement for requirement in requirements if not requirement.comes_from]
        for requirement in kept:
            for name in ("config_settings", "global_options"):
                value = getattr(listed.get(requirement.name), name, None)
                if value and not getattr(requirement, name, None):
                    setattr(requirement, name, value)
        options.require_hashes = False
        return kept

    RequirementCommand.get_requirements = unlisted


def keep_wheels(directory):
    """Make `pip install` copy the built wheels instead of installing them; `pip wheel` cannot build editable ones."""
    from pip._internal.commands import install
    from pip._internal.exceptions import InstallationError

    if not callable(install.install_given_reqs):
        raise TypeError(install.install_given_reqs)

    def keep(requirements, *_, **__):
        for requirement in requirements:
            if not requirement.is_wheel:
                raise InstallationError("the build backend of %s does not support editable installs" % requirement.name)
            shutil.copy(requirement.local_file_path, directory)
        return []

    install.install_given_reqs = keep


def keep_downloads(directory):
    """Make pip download each file only once: the run that fetches uses the files of the run that resolved.

    pip itself has a file in its HTTP cache only if the user allows a cache and the server's answer may be cached.
    """
    from pip._internal.network.download import Downloader

    download, kept = Downloader.__call__, {}

    def once(self, link, location):
        parts = urllib.parse.urlsplit(link.url_without_fragment)  # credentials are not in the report that is fetched
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        if url in kept:
            file, kind = kept[url]
            path = os.path.join(location, os.path.basename(file))
            _link_or_copy(file, path)
            return path, kind
        path, kind = download(self, link, location)
        file = os.path.join(directory, str(len(kept)), os.path.basename(path))
        _link_or_copy(path, file)
        kept[url] = file, kind
        return path, kind

    Downloader.__call__ = once


def _link_or_copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
