"""Common mistakes: each as a call in Python and, if possible, as a command.

`{wheels}` is a directory of wheels, `{files}` one of files that are wrong, `{closed}` an address where nobody listens.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import NamedTuple

from integration.lib.projects import write_project
from integration.lib.wheels import write_wheel


class Mistake(NamedTuple):
    """A mistake.

    Attributes:
        about: Its name.
        call: The call of `li`, which is liveinstall.
        command: The words of the command; empty if there is none.
        says: A part of the message, which names what is wrong or what helps.
    """

    about: str
    call: str
    command: str
    says: str


_HERE = "no_index=True, find_links='{wheels}'"
_THERE = "--no-index --find-links {wheels}"


def _install(about: str, text: str, says: str) -> Mistake:
    return Mistake(about, f"li.install({text!r}, {_HERE})", f"install {_THERE} -- '{text}'", says)


MISTAKES = (
    _install("a popular name misspelt", "numppy", "numpy"),
    _install("an installed name misspelt", "alhpa", "alpha"),
    _install("an import name", "sklearn", "scikit-learn"),
    _install("an unknown name", "no-such-thing", "no-such-thing"),
    _install("a module of the standard library", "sqlite3", "sqlite3"),
    _install("one equals sign", "alpha=2", "alpha==2"),
    _install("a version after a space", "alpha 2", "alpha==2"),
    _install("no comma", "alpha >1 <3", "alpha>1,<3"),
    _install("a doubled sign", "alpha>>1", "alpha"),
    _install("an open bracket", "alpha[test", "alpha"),
    _install("a version that does not exist", "alpha==99", "alpha"),
    _install("an empty text", "", "requirement"),
    _install("a wheel that does not exist", "nothing-1.0-py3-none-any.whl", "nothing-1.0-py3-none-any.whl"),
    _install("a wheel for another platform", "{files}/delta-1.0-cp311-cp311-win_amd64.whl", "delta"),
    _install("a wheel for another Python", "{files}/delta-2.0-py3-none-any.whl", "Python"),
    _install("a damaged wheel", "{files}/broken-1.0-py3-none-any.whl", "broken"),
    _install("a source distribution that fails", "{files}/failing-1.0.tar.gz", "failing"),
    _install("a directory without a project", "{files}", "pyproject.toml"),
    _install("a path that does not exist", "./no/such/project", "./no/such/project"),
    _install("a scheme that does not exist", "alpha @ htp://x/alpha-1.0-py3-none-any.whl", "htp"),
    _install("a host that does not answer", "{closed}/alpha-2.0-py3-none-any.whl", "{closed}"),
    _install("a repository without git+", "{closed}/user/alpha.git", "git+"),
    _install("a repository that does not answer", "git+{closed}/user/alpha.git", "repository"),
    _install("a hash that differs", "alpha @ file://{wheels}/alpha-2.0-py3-none-any.whl#sha256=" + "0" * 64, "hash"),
    _install("the whole command", "pip instal alpha", "pip"),
    _install("Python itself", "python>=3.13", "Python"),
    Mistake("no requirement", "li.install()", "install", "requirement"),
    Mistake("a number", "li.install(3)", "", "3"),
    Mistake(
        "two versions",
        f"li.install('alpha==1.0', 'alpha==2.0', {_HERE})",
        f"install alpha==1.0 alpha==2.0 {_THERE}",
        "alpha",
    ),
    Mistake("an option misspelt", "li.install('alpha', upgrad=True)", "install alpha --upgrad", "upgrad"),
    Mistake(
        "an engine that does not exist", "li.install('alpha', engine='conda')", "install alpha --engine conda", "uv"
    ),
    Mistake("a time that does not exist", "li.install('alpha', when='later')", "install alpha --when later", "restart"),
    Mistake(
        "a timeout that is no number", "li.install('alpha', timeout='soon')", "install alpha --timeout soon", "soon"
    ),
    Mistake(
        "a timeout that is over",
        f"li.install('alpha==2.0', timeout=0.01, {_HERE})",
        f"install alpha==2.0 --timeout 0.01 {_THERE}",
        "timeout",
    ),
    Mistake("a switch that is a text", "li.install('alpha', upgrade='yes')", "", "upgrade"),
    Mistake(
        "a requirements file that is missing",
        "li.install(requirement_files='missing.txt')",
        "install -r missing.txt",
        "missing.txt",
    ),
    Mistake(
        "a requirements file that is wrong",
        "li.install(requirement_files='{files}/wrong.txt')",
        "install -r {files}/wrong.txt",
        "wrong.txt",
    ),
    Mistake(
        "a constraints file that is missing",
        f"li.install('alpha', constraints='missing.txt', {_HERE})",
        f"install alpha -c missing.txt {_THERE}",
        "missing.txt",
    ),
    Mistake(
        "a dead index",
        "li.install('epsilon', index_url='{closed}/simple')",
        "install epsilon --index-url {closed}/simple",
        "network",
    ),
    Mistake(
        "an index that is no URL",
        "li.install('epsilon', index_url='my index')",
        "install epsilon --index-url 'my index'",
        "my index",
    ),
    Mistake(
        "a directory of wheels that is missing",
        "li.install('epsilon', no_index=True, find_links='/no/such')",
        "install epsilon --no-index --find-links /no/such",
        "/no/such",
    ),
    Mistake("a change that cannot be now", f"li.install('alpha==2.0', when='now', {_HERE})", "", "when"),
    Mistake(
        "an editable project that is missing", "li.install(editable='/no/such')", "install -e /no/such", "/no/such"
    ),
    Mistake("a group that is missing", "li.install(groups=['tests'])", "install --group tests", "pyproject.toml"),
    Mistake(
        "a lock file that is wrong",
        "li.install(pylock='{files}/pylock.toml')",
        "install --pylock {files}/pylock.toml",
        "pylock.toml",
    ),
    Mistake(
        "a report that cannot be written",
        f"li.install('alpha==2.0', report='/no/such/report.json', {_HERE})",
        f"install alpha==2.0 --report /no/such/report.json {_THERE}",
        "/no/such",
    ),
    Mistake("undo of what never was", "li.undo('nonsense')", "undo nonsense", "nonsense"),
    Mistake("cancel of nothing", "li.cancel('alpha')", "cancel alpha", "pending"),
    Mistake("removal of what is not installed", "li.uninstall('aplha')", "uninstall aplha", "alpha"),
    Mistake("a restart in a script", "li.restart()", "", "start"),
    Mistake("a version that is not stored", "li.require('alpha==9')", "", "install=True"),
    Mistake("a registry that does not exist", "li.registries.show('no-such')", "registry show no-such", "registry"),
    Mistake("a directory that is no home", "li.homes.run('/no/such', 'pass')", "home show /no/such", "/no/such"),
    Mistake(
        "an option that another excludes",
        "li.install('alpha', no_index=True, index_url='{closed}')",
        "install alpha --no-index -i {closed}",
        "index",
    ),
    Mistake("upgrade of everything without a name", "li.install(upgrade=True)", "upgrade", "requirement"),
    Mistake("variables that do not exist", "li.restart(keep=['no_such'])", "", ""),
)


def write_files(folder: Path) -> None:
    """Write the invalid files."""
    write_wheel(folder, "delta", "1.0", tag="cp311-cp311-win_amd64")
    write_wheel(folder, "delta", "2.0", headers=["Requires-Python: >=99"])
    (folder / "broken-1.0-py3-none-any.whl").write_bytes(b"this is not a zip archive")
    (folder / "wrong.txt").write_text("alpha==1.0\nbeta=1.0\n", encoding="utf-8")
    (folder / "pylock.toml").write_text("lock-version = '1.0'\n", encoding="utf-8")
    project = write_project(folder / "project", "failing")
    (project / "setup.py").write_text("raise RuntimeError('this cannot be built')\n", encoding="utf-8")
    with tarfile.open(folder / "failing-1.0.tar.gz", "w:gz") as archive:
        archive.add(project, "failing-1.0")
