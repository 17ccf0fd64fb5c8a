"""Runs in a child process: `python -P _pip_child.py PIP`, PIP being the directory that has pip.

It loads pip and then reads the path of a request, a JSON file, from its standard input; at the end of input it ends,
also while it works, and so does all that it has started: then the process that asked has died.
Request: {"resolve", "fetch", "build": pip's arguments for each; "parts": [...], "hidden": [...] as in `View`; "report",
"answer": paths of files, "wheels": of a directory; "variables": environment variables that pip and git get;
"checkouts": [where resolving puts repositories, where they belong, a file that tells which were moved there];
"wanted": whether wheels are; "offline": why nothing may be asked of the network, or nothing}.
Answer: {"phase": "configuration" (its "errors" are options), "resolve", "checkout", "fetch" or "build", "status": pip's
exit status, "errors": [pip's own error messages], "kinds": [class names of the exception that ended pip, most derived
first], "unreachable": [what could not be fetched]}.

All pip commands run in this one process, because starting pip takes longer than most of its work.
"""

import contextlib
import gc
import importlib
import importlib.metadata
import json
import logging
import os
import pathlib
import re
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

# Where pip's parser keeps an option that would divert an install: its name.
_DIVERTING = {"use_user_site": "user", "target_dir": "target", "prefix_path": "prefix", "root_path": "root"}
_DIVERTING.update(dry_run="dry-run", platforms="platform", abis="abi")
_DIVERTING.update(python_version="python-version", implementation="implementation")


class _Listener(logging.Handler):
    """Collects what pip logs about its failure; pip's standard output is for people and is not read."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.errors = []
        self.kinds = []
        self.unreachable = []

    def emit(self, record):
        is_error = record.levelno >= logging.ERROR
        # What pip tells of an OSError comes without it, but while it is handled.
        error = record.exc_info[1] if record.exc_info else is_error and sys.exc_info()[1]
        if error:
            self.kinds = [kind.__name__ for kind in type(error).__mro__]
            # Of an address that cannot be had pip makes an InstallationError.
            self.kinds += [name for name in [type(error.__context__).__name__] if name == "NetworkConnectionError"]
        if is_error and error and record.getMessage().startswith("Exception:"):  # pip did not expect it
            self.kinds.append("Unexpected")
            self.errors.append("%s: %s" % (type(error).__name__, error))
        elif is_error:
            self.errors.append(_words(error) or record.getMessage())
        elif self._is_unreachable(record.name, record.getMessage()):
            self.unreachable.append(record.getMessage())

    def _is_unreachable(self, logger, message):
        """A page that is not there (404) is an answer; anything else that could not be fetched is none."""
        return logger.endswith("connectionpool") or ("Could not fetch URL" in message and "404" not in message)


def _words(error):
    """Of an error that pip lays out for people: what happened and why; nothing of others."""
    if not hasattr(error, "hint_stmt"):
        return ""
    said = (" ".join(str(part).split()).rstrip(".") for part in (error.message, error.context) if part)
    return ". ".join(said)


def _listen():
    """Listen above pip's own loggers: pip reconfigures the root logger, and needs a logger class of its own below."""
    listener = _Listener()
    logging.getLogger("pip").addHandler(listener)
    # Which exception ended pip, and what could not be fetched, is told at DEBUG; elsewhere that is thousands of lines.
    for name in ("pip._internal.cli", "pip._internal.index.collector"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    return listener


def _show_future(parts, hidden):
    """Let pip see what will be installed: parts first, and not what they replace."""
    hidden = {os.path.realpath(path) for path in hidden}
    sys.path[:0] = parts
    distributions = importlib.metadata.distributions

    def visible(**options):
        for distribution in distributions(**options):
            path = getattr(distribution, "_path", None)
            if path is None or os.path.realpath(path) not in hidden:
                yield distribution

    if hidden:
        importlib.metadata.distributions = visible


def _tell_bytes(arguments):
    """Let pip print how far a download is, for programs (from 24.1 on)."""
    import pip

    if tuple(int(number) for number in pip.__version__.split(".")[:2] if number.isdecimal()) < (24, 1):
        return arguments
    return [*arguments[:1], "--progress-bar", "raw", *arguments[1:]]


def _pip(arguments):
    sys.argv = ["pip", *_tell_bytes(arguments)]
    try:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _fragment(info):
    """What is checked of a download: the hash that the report has for it, of whatever kind; and where to look in it."""
    archive = info.get("archive_info", {})
    hashes = ["%s=%s" % pair for pair in archive.get("hashes", {}).items()] or [archive.get("hash")]
    hashes.sort(key=lambda text: not (text or "").startswith("sha256"))
    parts = [*hashes[:1], "subdirectory=" + info["subdirectory"] if info.get("subdirectory") else None]
    return "&".join(filter(None, parts))


def _requirement(item, credentials):
    """A link of the report as a requirement; nothing for a wheel that is on this disk already."""
    info = item["download_info"]
    url = info["url"]
    if url.startswith("file:") and url.endswith(".whl"):
        return None
    name = item["metadata"]["name"] + " @ "
    netloc = urllib.parse.urlsplit(url).netloc
    if netloc in credentials:
        url = url.replace("://" + netloc, "://%s@%s" % (credentials[netloc], netloc), 1)
    if "vcs_info" in info:
        vcs, name = info["vcs_info"], "" if url.startswith("file:") else name  # pip 23 reads no `x @ git+file:...`
        url = "%s+%s@%s" % (vcs["vcs"], url, vcs["commit_id"])
    fragment = _fragment(info)
    return name + url + ("#" + fragment if fragment else "")


def _is_editable(item):
    return item["download_info"].get("dir_info", {}).get("editable")


def _settle(items, wanted, source, home, note):
    """Move the repositories that are used in place to where they belong, and say so in the report."""
    moves = {}
    source, home = (pathlib.Path(os.path.realpath(directory)) for directory in (source, home))
    for info in (item["download_info"] for item in items if _is_editable(item)):
        old = pathlib.Path(os.path.realpath(urllib.request.url2pathname(urllib.parse.urlsplit(info["url"]).path)))
        if source in old.parents:
            moves[old] = home / old.relative_to(source)
            info["url"] = moves[old].as_uri()
    for new in moves.values() if wanted else ():
        if new.exists():
            raise FileExistsError(str(new))
    if moves and wanted:
        with open(note, "w", encoding="utf-8") as stream:  # before: so they are found whatever happens next
            json.dump(list(map(str, moves.values())), stream)
    for old, new in moves.items() if wanted else ():
        home.mkdir(parents=True, exist_ok=True)
        shutil.move(str(old), str(new))
    return bool(moves)


def _stay_offline(why):
    """From now on refuse what requirement files, and what is required, name on the network: pages, files, repositories.

    What pip runs in other processes, such as a build, is not seen.
    """
    from pip._internal.exceptions import NetworkConnectionError
    from pip._internal.network.session import PipSession
    from pip._internal.vcs.versioncontrol import VersionControl
    from pip._vendor.requests.exceptions import RetryError  # without a page that raises it every pip goes on

    ask, obtain = PipSession.request, VersionControl.obtain

    def refusing(self, method, url, *arguments, **options):
        if not url.lower().startswith("file:"):
            raise RetryError("%s is not on this disk. %s" % (url, why))
        return ask(self, method, url, *arguments, **options)

    def obtaining(self, dest, url, *arguments, **options):
        if not re.match(r"(?i)(\w+\+)?file:", url.secret):
            raise NetworkConnectionError("%s is not on this disk. %s" % (url, why))
        return obtain(self, dest, url, *arguments, **options)

    PipSession.request, VersionControl.obtain = refusing, obtaining


def _remember_credentials(words):
    """The report has none: by host, those of the requested URLs, or else the only ones among pip's arguments."""
    from pip._internal.cli.req_command import RequirementCommand

    def netlocs(urls):
        return [tuple(urllib.parse.urlsplit(url).netloc.rpartition("@")[::2]) for url in urls if "://" in url]

    given = {(user, host) for user, host in netlocs(words) if user}
    get_requirements = RequirementCommand.get_requirements
    known = {host: user for user, host in given if [each for _, each in given].count(host) == 1}

    def remembering(self, *arguments):
        found = get_requirements(self, *arguments)
        links = [requirement.link.url for requirement in found if requirement.link]
        known.update({host: user for user, host in netlocs(links) if user})
        return found

    RequirementCommand.get_requirements = remembering
    return known


def _only_what_was_chosen():
    """From now on requirement files count for their options: what they require has been resolved, and checked."""
    from pip._internal.cli.req_command import RequirementCommand

    get_requirements = RequirementCommand.get_requirements

    def chosen(self, args, options, *rest):
        found = get_requirements(self, args, options, *rest)
        listed = {requirement.name: requirement for requirement in found if requirement.comes_from}
        kept = [requirement for requirement in found if not requirement.comes_from]
        for requirement in kept:
            for name in ("config_settings", "global_options"):
                value = getattr(listed.get(requirement.name), name, None)
                if value and not getattr(requirement, name, None):
                    setattr(requirement, name, value)
        options.require_hashes = False
        return kept

    RequirementCommand.get_requirements = chosen


def _keep_wheels(directory):
    """From now on `pip install` ends where it would install: what it has built is kept. Only it builds editables."""
    from pip._internal.commands import install
    from pip._internal.exceptions import InstallationError

    if not callable(install.install_given_reqs):
        raise TypeError(install.install_given_reqs)

    def keep(requirements, *_, **__):
        for requirement in requirements:
            if not requirement.is_wheel:
                raise InstallationError("%s has no build backend that can do it in place" % requirement.name)
            shutil.copy(requirement.local_file_path, directory)
        return []

    install.install_given_reqs = keep


def _fetch(request, items, credentials):
    """(phase, status) of fetching and building all that is not on this disk."""
    wanted = list(filter(None, (_requirement(item, credentials) for item in items if not _is_editable(item))))
    projects = [item["download_info"] for item in items if _is_editable(item)]
    _only_what_was_chosen()
    status = _pip([*request["fetch"], "--", *wanted]) if wanted else 0
    if status or not projects:
        return "fetch", status
    os.makedirs(request["wheels"], exist_ok=True)
    _keep_wheels(request["wheels"])
    links = ["%s%s" % (info["url"], "#" + _fragment(info) if _fragment(info) else "") for info in projects]
    return "build", _pip([*request["build"], *(word for link in links for word in ("--editable", link))])


def _diverted(arguments, wanted):
    """Settings in pip's configuration or PIP_* that would divert or prevent an install, by pip's own parser."""
    with contextlib.suppress(SystemExit, Exception):  # what is wrong with it pip will say itself
        from pip._internal.commands import create_command

        parser = create_command("install", isolated="--isolated" in arguments).parser
        values = vars(parser.get_default_values())
        asked = {"user": "--user" in arguments, "dry-run": not wanted}
        return [name for dest, name in _DIVERTING.items() if values.get(dest) and not asked.get(name)]
    return []


def _answer(request):
    """(phase, status, errors)."""
    diverted = _diverted(request["resolve"], request["wanted"])
    if diverted:
        return "configuration", 1, diverted
    if request["offline"]:
        _stay_offline(request["offline"])
    credentials = _remember_credentials(request["resolve"])
    status = _pip(request["resolve"])
    if status:
        return "resolve", status, []
    with open(request["report"], encoding="utf-8") as stream:
        report = json.load(stream)
    try:
        moved = _settle(report["install"], request["wanted"], *request["checkouts"])
    except FileExistsError as error:
        return "checkout", 1, [str(error)]
    if moved:
        with open(request["report"], "w", encoding="utf-8") as stream:
            json.dump(report, stream)
    if not request["wanted"]:
        return "resolve", 0, []
    return (*_fetch(request, report["install"], credentials), [])


def _begin_beside():
    """What takes other programs (lsb_release and rustc, for what pip says of this machine), or OpenSSL."""
    with contextlib.suppress(ImportError, AttributeError):
        from pip._internal.network import session

        _ask_beside(session, "user_agent")
    with contextlib.suppress(ImportError, AttributeError):
        from pip._internal.cli import index_command

        _ask_beside(index_command, "_create_truststore_ssl_context")


def _ask_beside(owner, name):
    """Begin a function beside loading; pip gets its result whenever it asks."""
    ask, said = getattr(owner, name), []

    def keep():
        with contextlib.suppress(Exception):  # pip will meet it itself
            said.append(ask())

    asking = threading.Thread(target=keep, daemon=True)
    asking.start()

    def answer(*given, **named):
        asking.join()
        return said[0] if said and not (given or named) else ask(*given, **named)

    setattr(owner, name, answer)


def _load():
    """What pip will import. It is only a matter of time: what another pip has elsewhere is imported when it is used."""
    gc.disable()
    _begin_beside()
    for module in ("commands.install", "resolution.resolvelib.resolver", "metadata.importlib"):
        with contextlib.suppress(ImportError):
            importlib.import_module("pip._internal." + module)
    gc.enable()
    gc.freeze()
    gc.set_threshold(50_000)


def _end_with_the_asker():
    """Watch standard input, which nobody else gets to read, and kill this process's session at its end."""
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def watch():
        while os.read(lifeline, 4096):
            pass
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(pip):
    sys.path.append(pip)
    listener = _listen()
    _load()
    request_path = os.fsdecode(sys.stdin.buffer.readline().rstrip(b"\n"))
    if not request_path:
        return
    _end_with_the_asker()
    with open(request_path, encoding="utf-8") as stream:
        request = json.load(stream)
    # Should pip be stopped, what it leaves goes with the request's own files.
    tempfile.tempdir = os.path.dirname(request_path)
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), tempfile.tempdir))
    os.environ.update(request["variables"])
    _show_future(request["parts"], request["hidden"])
    phase, status, errors = _answer(request)
    answer = {
        "phase": phase,
        "status": status,
        "errors": errors or listener.errors,
        "kinds": listener.kinds,
        "unreachable": listener.unreachable,
    }
    with open(request["answer"], "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main(sys.argv[1])
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # to take down all that pip has loaded takes longer than many a request
