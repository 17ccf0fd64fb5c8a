"""Changes to pip in its child process, by replacing some of its functions; `_pip_child` imports this after pip.

Each is for a purpose that pip has no option for. The names are those of pip 22 to 26; where a later version has others,
the change has no effect, or pip ends with an error before anything is changed.
"""

import contextlib
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import re
import shutil
import urllib.parse

# Options of pip that may contain credentials, and the variables with the same effect.
_VARIABLES = {"-i": "PIP_INDEX_URL", "--index-url": "PIP_INDEX_URL", "--extra-index-url": "PIP_EXTRA_INDEX_URL"}
_VARIABLES.update({"--find-links": "PIP_FIND_LINKS", "--proxy": "PIP_PROXY"})


class LateTraceback:
    """Finds the module of pip that displays tracebacks with `--debug`, and loads it, and a highlighter, when used."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """See `importlib.abc.MetaPathFinder`."""
        if name != "pip._vendor.rich.traceback":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def postpone_user_agent(session):
    """Compute the user agent, for which pip runs lsb_release and rustc, at the first request to a server.

    Args:
        session: The module `pip._internal.network.session`.
    """
    user_agent, request = functools.cache(session.user_agent), session.PipSession.request

    def requesting(self, method, url, *arguments, **options):
        if not url.lower().startswith("file:"):
            self.headers["User-Agent"] = user_agent()
        return request(self, method, url, *arguments, **options)

    session.PipSession.request, session.user_agent = requesting, lambda: ""


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


def keep_session():
    """Keep the session of the next pip command, with its credentials, proxies and certificates, for further requests.

    Returns:
        A function `get(url, headers)` for a request; the response is not read yet.
    """
    from pip._internal.cli.req_command import RequirementCommand

    get_requirements, sessions = RequirementCommand.get_requirements, []

    def keeping(self, args, options, finder, session):
        sessions.append(session)
        return get_requirements(self, args, options, finder, session)

    RequirementCommand.get_requirements = keeping
    return lambda url, headers: sessions[-1].get(url, headers=headers, stream=True)


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

    Returns:
        A function that returns the path of the file that was downloaded from a URL; empty if there is none.
    """
    kept = {}
    try:
        from pip._internal.network.download import Downloader
    except ImportError:  # another version of pip: it downloads what it does not have in its cache twice
        return lambda _: ""
    download = Downloader.__call__

    def plain(url):
        parts = urllib.parse.urlsplit(url)._replace(fragment="")
        return parts._replace(netloc=parts.netloc.rpartition("@")[2])  # the report that is fetched has no credentials

    def once(self, link, location):
        url = plain(link.url_without_fragment)
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
    return lambda url: kept.get(plain(url), ("", ""))[0]


def _link_or_copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def without_urls(arguments):
    """Split the command line of the pip that installs the requirements of a build.

    Args:
        arguments: The command line; an option and its value are two arguments, as in pip's build_env.

    Returns:
        The arguments without URLs that contain credentials, and the environment variables for these URLs.
    """
    kept, variables, words = [], {}, list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            return [*kept, word, *words], variables
        if word in _VARIABLES and words and "@" in words[0] and "://" in words[0]:
            name, value = _VARIABLES[word], words.pop(0).replace(" ", "%20")
            variables[name] = (variables[name] + " " + value) if name in variables else value
        else:
            kept.append(word)
    return kept, variables


def hide_urls():
    """Pass the URLs of indexes and proxies, which may contain passwords, to the pip of a build in variables.

    Every user can list the arguments of a process; only its own user and root can read its environment variables.
    """
    for name in ("build_env", "build_env.installer"):
        with contextlib.suppress(ImportError, AttributeError):
            _hide(importlib.import_module("pip._internal." + name))


def _hide(module):
    call = module.call_subprocess

    def call_without_urls(cmd, *given, **named):
        if "--isolated" not in cmd:  # it would ignore the variables
            cmd, variables = without_urls(cmd)
            named["extra_environ"] = {**(named.get("extra_environ") or {}), **variables}
        return call(cmd, *given, **named)

    module.call_subprocess = call_without_urls
