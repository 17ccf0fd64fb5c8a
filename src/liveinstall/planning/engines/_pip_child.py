"""Runs in a child process: `python -P _pip_child.py PIP`, PIP being the directory that has pip.

It loads pip and then reads the path of a request, a JSON file, from its standard input; at the end of input it ends,
also while it works, and so does all that it has started: then the process that asked has died.
Request: {"arguments": [...] of `pip install --dry-run`; "parts": [...], "hidden": [...] as in `View`; "report": path;
"fetch": bool; "fetch_arguments": [...]; "answer": path; "temporary": path of a directory}.
Answer: {"phase": "resolve" or "fetch", "status": pip's exit status, "errors": [pip's own error messages],
"kinds": [class names of the exception that ended pip, most derived first], "unreachable": [what could not be fetched]}.

Both pip commands run in this one process, because starting pip takes longer than most of its work.
"""

import contextlib
import gc
import importlib
import importlib.metadata
import json
import logging
import os
import runpy
import signal
import sys
import tempfile
import threading


class _Listener(logging.Handler):
    """Collects what pip logs about its failure; pip's standard output is for people and is not read."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.errors = []
        self.kinds = []
        self.unreachable = []

    def emit(self, record):
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.kinds = [kind.__name__ for kind in type(error).__mro__]
        if record.levelno >= logging.ERROR:
            self.errors.append(record.getMessage())
        elif self._is_unreachable(record.name, record.getMessage()):
            self.unreachable.append(record.getMessage())

    def _is_unreachable(self, logger, message):
        """A page that is not there (404) is an answer; anything else that could not be fetched is none."""
        return logger.endswith("connectionpool") or ("Could not fetch URL" in message and "404" not in message)


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


def _pip(arguments):
    sys.argv = ["pip", *arguments]
    try:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _wanted(report):
    """The report's links that are not wheels on this disk already, as requirements for `pip wheel`."""
    for item in report["install"]:
        url, info = item["download_info"]["url"], item["download_info"]
        if url.startswith("file:") and url.endswith(".whl"):
            continue
        name = item["metadata"]["name"]
        hashes = info.get("archive_info", {}).get("hashes", {})
        if "vcs_info" in info:
            vcs = info["vcs_info"]
            url = "%s+%s@%s" % (vcs["vcs"], url, vcs["commit_id"])
        elif hashes.get("sha256"):
            url += "#sha256=" + hashes["sha256"]
        if info.get("subdirectory"):
            url += ("&" if "#" in url else "#") + "subdirectory=" + info["subdirectory"]
        yield "%s @ %s" % (name, url)


def _load():
    """What pip will import. It is only a matter of time: what another pip has elsewhere is imported when it is used."""
    gc.disable()
    for module in ("commands.install", "resolution.resolvelib.resolver", "metadata.importlib"):
        with contextlib.suppress(ImportError):
            importlib.import_module("pip._internal." + module)
    gc.enable()
    gc.freeze()


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
    tempfile.tempdir = os.environ["TMPDIR"] = request["temporary"]  # of pip and of builds: goes when the request goes
    _show_future(request["parts"], request["hidden"])
    phase, status = "resolve", _pip(request["arguments"])
    if not status and request["fetch"]:
        with open(request["report"], encoding="utf-8") as stream:
            wanted = list(_wanted(json.load(stream)))
        if wanted:
            phase = "fetch"
            status = _pip([*request["fetch_arguments"], *wanted])
    answer = {
        "phase": phase,
        "status": status,
        "errors": listener.errors,
        "kinds": listener.kinds,
        "unreachable": listener.unreachable,
    }
    with open(request["answer"], "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main(sys.argv[1])
