"""Runs in a child process: `python -P _pip_child.py PIP [local]`, where PIP is the directory that contains pip.

With `local`, the request will probably need no server; only a guess, which makes that case faster.

It imports pip and then reads the path of a request, a JSON file, from its standard input. At the end of the input the
parent process has died: then this process and its descendants exit, even during a request.
Request: {"resolve", "fetch", "build": pip's arguments for each; "parts": [...], "hidden": [...] as in `View`; "report",
"answer": paths of files; "wheels": path of a directory; "variables": environment variables for pip and git;
"checkouts": [directory that pip clones repositories into, their final directory, file for the paths of the moved ones];
"wanted": whether to fetch wheels; "offline": the reason why the network must not be used, or empty;
"listings": path of a JSON file for the lists of files of wheels that are not on this disk, or empty; "known": URL ->
SHA-256 of those with a known list}.
Answer: {"phase": "configuration" (its "errors" are options), "resolve", "checkout", "fetch" or "build"; "status": pip's
exit status; "errors": [pip's own error messages]; "kinds": [class names of the exception that ended pip, most derived
first]; "unreachable": [pip's messages about failed downloads]; "warnings": [pip's warnings to its user]}.

All pip commands run in this one process, because starting pip takes longer than most of its work.
"""

import contextlib
import gc
import hashlib
import importlib
import importlib.metadata
import json
import logging
import mimetypes
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

# The options that would divert an install, by their `dest` in pip's parser.
_DIVERTING = {"use_user_site": "user", "target_dir": "target", "prefix_path": "prefix", "root_path": "root"}
_DIVERTING.update(dry_run="dry-run", platforms="platform", abis="abi")
_DIVERTING.update(python_version="python-version", implementation="implementation")

_MARKUP = re.compile(r"\[/?(?:(?:bold|dim|red|green|yellow|blue|magenta|cyan)[a-z ]*)?\]")


class _FailureHandler(logging.Handler):
    """Collects pip's log messages about a failure; pip's standard output is for people and is not parsed."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.errors = []
        self.kinds = []
        self.unreachable = []
        self.warnings = []

    def emit(self, record):
        is_error = record.levelno >= logging.ERROR
        # pip logs an OSError without exc_info, but while it is being handled.
        error = record.exc_info[1] if record.exc_info else is_error and sys.exc_info()[1]
        if error:
            self.kinds = [kind.__name__ for kind in type(error).__mro__]
            # pip converts the error for an unreachable URL to an InstallationError.
            self.kinds += [name for name in [type(error.__context__).__name__] if name == "NetworkConnectionError"]
        if is_error and error and record.getMessage().startswith("Exception:"):  # pip did not expect it
            self.kinds.append("Unexpected")
            self.errors.append("%s: %s" % (type(error).__name__, error))
        elif is_error:
            self.errors.append(_diagnostic_text(error) or record.getMessage())
        elif self._is_unreachable(record.name, record.getMessage()):
            self.unreachable.append(record.getMessage())
        elif record.levelno == logging.WARNING and self._is_for_user(record.name, record.getMessage()):
            self.warnings.append(record.getMessage())

    def _is_for_user(self, logger, message):
        """Whether a warning is about the request; not about pip itself, or a page that an index on this disk lacks."""
        is_page = message.startswith("Location 'file:") and "/' is ignored" in message
        return logger.startswith("pip._internal.") and not is_page and "[present-" not in message

    def _is_unreachable(self, logger, message):
        """Whether a download failed; a missing page (404) does not count, because the server has answered."""
        is_missing = ": 404 Client Error" in message  # not only "404", which may be in a port or a name
        return logger.endswith("connectionpool") or ("Could not fetch URL" in message and not is_missing)


def _diagnostic_text(error):
    """The message and context of pip's DiagnosticPipError, without its markup; empty for other errors."""
    if not hasattr(error, "hint_stmt"):
        return ""
    texts = (
        " ".join(_MARKUP.sub("", str(part)).split()).rstrip(".") for part in (error.message, error.context) if part
    )
    return ". ".join(texts)


def _add_failure_handler():
    """Handle the logger "pip": pip reconfigures the root logger, and needs its own logger class below "pip"."""
    handler = _FailureHandler()
    logging.getLogger("pip").addHandler(handler)
    # Exceptions that end pip, and failed downloads, are logged at DEBUG; in other loggers that is thousands of lines.
    for name in ("pip._internal.cli", "pip._internal.index.collector"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    return handler


def _use_view(parts, hidden):
    """Show pip the environment after the pending changes: parts first, without the distributions to be replaced."""
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


def _with_raw_progress(arguments):
    """The arguments with pip's machine-readable download progress (pip 24.1 and newer)."""
    import pip

    if tuple(int(number) for number in pip.__version__.split(".")[:2] if number.isdecimal()) < (24, 1):
        return arguments
    return [*arguments[:1], "--progress-bar", "raw", *arguments[1:]]


def _pip(arguments):
    sys.argv = ["pip", *_with_raw_progress(arguments)]
    try:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _fragment(info):
    """The fragment of a URL: one hash from the report, preferably sha256, and the subdirectory."""
    archive = info.get("archive_info", {})
    hashes = ["%s=%s" % pair for pair in archive.get("hashes", {}).items()] or [archive.get("hash")]
    hashes.sort(key=lambda text: not (text or "").startswith("sha256"))
    parts = [*hashes[:1], "subdirectory=" + info["subdirectory"] if info.get("subdirectory") else None]
    return "&".join(filter(None, parts))


def _with_credentials(url, credentials):
    """The URL with the credentials for its host, which pip's report omits."""
    netloc = urllib.parse.urlsplit(url).netloc
    return url.replace("://" + netloc, "://%s@%s" % (credentials[netloc], netloc), 1) if netloc in credentials else url


def _requirement(item, credentials):
    """An item of the report as a requirement; None for a local wheel."""
    info = item["download_info"]
    url = info["url"]
    if url.startswith("file:") and url.endswith(".whl"):
        return None
    name = item["metadata"]["name"] + " @ "
    url = _with_credentials(url, credentials)
    if "vcs_info" in info:
        vcs, name = info["vcs_info"], "" if url.startswith("file:") else name  # pip 23 rejects `x @ git+file:...`
        url = "%s+%s@%s" % (vcs["vcs"], url, vcs["commit_id"])
    fragment = _fragment(info)
    return name + url + ("#" + fragment if fragment else "")


def _is_editable(item):
    return item["download_info"].get("dir_info", {}).get("editable")


def _move_checkouts(items, wanted, source, destination, note):
    """Move the checkouts of editable repositories to their final directory, and update the report."""
    moves = {}
    source, destination = (pathlib.Path(os.path.realpath(directory)) for directory in (source, destination))
    for info in (item["download_info"] for item in items if _is_editable(item)):
        old = pathlib.Path(os.path.realpath(urllib.request.url2pathname(urllib.parse.urlsplit(info["url"]).path)))
        if source in old.parents:
            moves[old] = destination / old.relative_to(source)
            info["url"] = moves[old].as_uri()
    for new in moves.values() if wanted else ():
        if new.exists():
            raise FileExistsError(str(new))
    if moves and wanted:
        with open(note, "w", encoding="utf-8") as stream:  # first, so that the parent can remove them after any failure
            json.dump(list(map(str, moves.values())), stream)
    for old, new in moves.items() if wanted else ():
        destination.mkdir(parents=True, exist_ok=True)
        shutil.move(str(old), str(new))
    return bool(moves)


def _correct_hashes(items, downloaded):
    """Replace wrong hashes of URLs, which pip ignores where the user gave `--hash`; returns whether there were any."""
    is_changed = False
    for info in (item["download_info"] for item in items if item.get("is_direct")):
        path = downloaded(info["url"]) if "archive_info" in info else ""
        algorithm, _, digest = _fragment({"archive_info": info.get("archive_info", {})}).partition("=")
        if path and digest and _digest(path, algorithm) != digest:
            digest = _digest(path, "sha256")
            info["archive_info"] = {"hashes": {"sha256": digest}, "hash": "sha256=" + digest}
            is_changed = True
    return is_changed


def _digest(path, algorithm):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _fetch(request, items, credentials, hooks):
    """Fetch and build everything that is not on this disk; the phase and the status."""
    requirements = list(filter(None, (_requirement(item, credentials) for item in items if not _is_editable(item))))
    projects = [item["download_info"] for item in items if _is_editable(item)]
    hooks.skip_listed_requirements()
    status = _pip([*request["fetch"], "--", *requirements]) if requirements else 0
    if status or not projects:
        return "fetch", status
    os.makedirs(request["wheels"], exist_ok=True)
    hooks.keep_wheels(request["wheels"])
    links = ["%s%s" % (info["url"], "#" + _fragment(info) if _fragment(info) else "") for info in projects]
    return "build", _pip([*request["build"], *(argument for link in links for argument in ("--editable", link))])


def _list_files(request, items, credentials, get, downloaded):
    """List the files of the wheels that are not on this disk, without fetching them."""
    urls = {}
    for info in (item["download_info"] for item in items):
        url, hashes = urllib.parse.urlsplit(info["url"]), info.get("archive_info", {}).get("hashes", {}).values()
        if url.path.endswith(".whl") and url.scheme != "file" and request["known"].get(info["url"]) not in hashes:
            urls[info["url"]] = _with_credentials(info["url"], credentials)
    found = _load_beside("_pip_wheels").listings(urls, get, downloaded) if urls else {}
    with open(request["listings"], "w", encoding="utf-8") as stream:
        json.dump(found, stream)


def _diverted(arguments, wanted):
    """The settings in pip's configuration or PIP_* that would divert or prevent an install, by pip's own parser."""
    with contextlib.suppress(SystemExit, Exception):  # pip itself will report errors in its configuration
        from pip._internal.commands import create_command

        parser = create_command("install", isolated="--isolated" in arguments).parser
        values = vars(parser.get_default_values())
        requested = {"user": "--user" in arguments, "dry-run": not wanted}
        return [name for dest, name in _DIVERTING.items() if values.get(dest) and not requested.get(name)]
    return []


def _execute(request, hooks):
    """Execute a request; the phase, the status and the errors."""
    diverted = _diverted(request["resolve"], request["wanted"])
    if diverted:
        return "configuration", 1, diverted
    if request["offline"]:
        hooks.stay_offline(request["offline"])
    credentials = hooks.collect_credentials(request["resolve"])
    get = hooks.keep_session()
    downloaded = hooks.keep_downloads(os.path.join(tempfile.gettempdir(), "downloads"))
    status = _pip(request["resolve"])
    if status:
        return "resolve", status, []
    with open(request["report"], encoding="utf-8") as stream:
        report = json.load(stream)
    try:
        moved = _move_checkouts(report["install"], request["wanted"], *request["checkouts"])
    except FileExistsError as error:
        return "checkout", 1, [str(error)]
    if _correct_hashes(report["install"], downloaded) or moved:
        with open(request["report"], "w", encoding="utf-8") as stream:
            json.dump(report, stream)
    if request["listings"]:
        _list_files(request, report["install"], credentials, get, downloaded)
    if not request["wanted"]:
        return "resolve", 0, []
    return (*_fetch(request, report["install"], credentials, hooks), [])


def _precompute(*, local=False):
    """Start the slow calls: the user agent, for which pip runs lsb_release and rustc, and loading OpenSSL."""
    with contextlib.suppress(ImportError, AttributeError):
        from pip._internal.network import session

        if local:
            _load_beside("_pip_hooks").postpone_user_agent(session)
        else:
            _call_in_background(session, "user_agent")
    with contextlib.suppress(ImportError, AttributeError):
        from pip._internal.cli import index_command

        _call_in_background(index_command, "_create_truststore_ssl_context")


def _call_in_background(module, name):
    """Call a function of a module in a thread, and replace it by one that returns the result."""
    function, results = getattr(module, name), []

    def call():
        with contextlib.suppress(Exception):  # it will be raised again when pip calls the function
            results.append(function())

    thread = threading.Thread(target=call, daemon=True)
    thread.start()

    def result(*arguments, **options):
        thread.join()
        return results[0] if results and not (arguments or options) else function(*arguments, **options)

    setattr(module, name, result)


def _load_beside(name):
    """Import a module from this one's directory, which is not on sys.path (-P)."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[0]


def _load(*, local):
    """Import pip's modules early. Only an optimization: modules with other names are imported when pip needs them."""
    gc.disable()
    sys.meta_path.insert(0, _load_beside("_pip_hooks").LateTraceback)
    mimetypes.knownfiles.clear()  # pip asks for the types of pages and archives, which Python knows itself
    _precompute(local=local)
    for module in ("commands.install", "resolution.resolvelib.resolver", "metadata.importlib"):
        with contextlib.suppress(ImportError):
            importlib.import_module("pip._internal." + module)
    gc.enable()
    gc.freeze()
    gc.set_threshold(50_000)


def _exit_with_parent():
    """Watch standard input, which no other code can read, and kill this process's session at its end."""
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def watch():
        while os.read(lifeline, 4096):
            pass
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(pip, expected=""):
    """Execute one request. See the arguments of this program."""
    sys.path.append(pip)
    for stream in (sys.stdout, sys.stderr):  # the parent reads UTF-8; a pipe of Windows has the ANSI code page
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = _add_failure_handler()
    _load(local=expected == "local")
    hooks = _load_beside("_pip_hooks")
    hooks.hide_urls()
    request_path = os.fsdecode(sys.stdin.buffer.readline().rstrip(b"\n"))
    if not request_path:
        return
    _exit_with_parent()
    with open(request_path, encoding="utf-8") as stream:
        request = json.load(stream)
    # If pip is killed, its temporary files are removed with the files of the request.
    tempfile.tempdir = os.path.dirname(request_path)
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), tempfile.tempdir))
    os.environ.update(request["variables"])
    _use_view(request["parts"], request["hidden"])
    phase, status, errors = _execute(request, hooks)
    answer = {
        "phase": phase,
        "status": status,
        "errors": errors or handler.errors,
        "kinds": handler.kinds,
        "unreachable": handler.unreachable,
        "warnings": handler.warnings,
    }
    with open(request["answer"], "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # a regular exit, which unloads all modules, takes longer than many requests
