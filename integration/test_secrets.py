"""One secret of each form, with both engines: it is not in any file, output or list afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.lib.secret_index import MARK, USER, ProcessList, leaks, private_index

pytestmark = [
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc"),
    pytest.mark.skipif(not shutil.which("git"), reason="needs git"),
]

# With each character that splits a URL, or seems to; not every program can use one with a slash or a raw @.
PASSWORDS = {"plain": MARK, "raw at": f"{MARK}@{MARK}", "escaped": f"{MARK}%40{MARK}", "colon": f"{MARK}:{MARK}"}

# A program that prints all results in every way, and then all records.
PROGRAM = """
import dataclasses, json, os, pickle, sys, traceback
arguments, options = json.loads(os.environ["ASKED"])
import liveinstall as li
def show(value):
    print(value, repr(value), vars(value) if hasattr(value, "__dict__") else "")
    if dataclasses.is_dataclass(value):
        print(json.dumps(dataclasses.asdict(value), default=str))
    for name in ("_repr_html_", "_repr_mimebundle_"):
        if hasattr(value, name):
            print(getattr(value, name)())
    print(pickle.dumps(value))
def ask(*arguments, **options):
    try:
        show(li.install(*arguments, on_event=show, **options))
    except BaseException as error:
        while error is not None:
            show(error), show(error.args)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        traceback.print_exc()
        return False
    return True
worked = ask(*arguments, **options)
ask("no-such-project", **options)
ask(*(f"{argument} and more" for argument in arguments), **options)
ask(*arguments, engine_that_is_none=1, **options)
print("WORKED" if worked else "FAILED")
if worked:
    if arguments != ["built"]:
        import alpha
        ask("alpha==1.0", **{**options, "upgrade": False})
for look in (li.status, li.pending, li.history, li.list, li.freeze, li.check, li.doctor):
    show(look())
    for value in (look() if isinstance(look(), (tuple, list)) else ()):
        show(value)
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with private_index(tmp_path_factory.mktemp("private")) as found:
        yield found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Environment]:
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path_factory.mktemp("place") / "venv", base)
    add_liveinstall(made, wheel)
    yield made
    made.remove()


class User:
    """A user with an environment, a home directory and temporary files, all below `place`."""

    def __init__(self, place: Path, environment: Environment) -> None:
        self.place, self.environment = place, environment
        for name in ("home", "tmp", "cwd"):
            (place / name).mkdir()
        self.variables = {
            "HOME": str(place / "home"),
            "TMPDIR": str(place / "tmp"),
            "UV": find_uv() or "",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_RETRIES": "0",
            "PIP_FIND_LINKS": "",
            "PIP_CACHE_DIR": str(place / "cache"),
            "UV_CACHE_DIR": str(place / "cache"),
            "UV_HTTP_RETRIES": "0",
            "no_proxy": "*",
        }
        self.kept: tuple[str, ...] = ("cache",)  # an engine's own cache, and the files with the secret

    def run(self, *arguments: str, **variables: str) -> str:
        """Run its interpreter; its whole output."""
        done = subprocess.run(
            [self.environment.python, *arguments],
            env=user_variables(**{**self.variables, **variables}),
            cwd=self.place / "cwd",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        return done.stdout.decode("utf-8", "replace")

    def check(self, said: str, *, processes: ProcessList | None = None) -> None:
        """No output, file or list contains a secret."""
        for verb in ("status", "history"):
            said += self.run("-m", "liveinstall", verb, "--json")
        assert [line[:3000] for line in said.splitlines() if MARK in line] == []
        assert leaks(self.place, but=self.kept) == []
        assert not processes or not processes.seen


@pytest.fixture
def user(tmp_path: Path, original: Environment) -> Iterator[User]:
    path = tmp_path / "venv"
    shutil.copytree(original.path, path, symlinks=True)
    yield User(tmp_path, Environment.at(path))


def asked_for(form: str, password: str, address: str, user: User) -> tuple[list[str], dict[str, object]]:
    """Arguments and options of `install()` for a secret of a form; variables and files are the user's from here on."""
    url = f"http://{USER}:{password}@{address}"
    bare, index = f"http://{address}/simple/", f"{url}/simple/"
    if form == "index_url":
        return ["alpha"], {"index_url": index}
    if form == "extra_index_url":
        return ["alpha"], {"index_url": bare.replace("simple", "none"), "extra_index_urls": [index]}
    if form == "find_links":
        return ["alpha"], {"no_index": True, "find_links": [f"{url}/simple/alpha/"]}
    if form == "direct":
        return [f"alpha @ {url}/files/alpha-2.0-py3-none-any.whl"], {}
    if form == "query":
        return [f"alpha @ http://{address}/files/alpha-2.0-py3-none-any.whl?private_token={MARK}"], {}
    if form == "git":
        return [f"alpha @ git+{url}/repository/.git"], {}
    if form == "user":
        return ["alpha"], {"index_url": f"http://{password}@{address}/simple/"}
    if form == "typed":
        return [f"pip install --index-url {index} alpha"], {}
    if form == "file":
        path = user.place / "cwd" / "requirements.txt"
        path.write_text(f"--index-url {index}\nalpha\n", encoding="utf-8")
        user.kept += ("cwd/requirements.txt",)
        return [], {"requirement_files": [str(path)]}
    if form == "variables":
        user.variables |= {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
        return ["alpha"], {}
    if form == "netrc":
        path = user.place / "home" / ".netrc"
        path.write_text(f"machine 127.0.0.1 login {USER} password {password}\n", encoding="utf-8")
        path.chmod(0o600)
        user.kept += ("home/.netrc",)
        return ["alpha"], {"index_url": bare}
    assert form == "keyring"
    program = user.place / "bin" / "keyring"
    program.parent.mkdir()
    answer = json.dumps({"username": USER, "password": password})  # what newer versions of pip ask for
    program.write_text(
        f"#!/bin/sh\ncase \"$*\" in *json*) echo '{answer}';; *) echo '{password}';; esac\n", encoding="utf-8"
    )
    program.chmod(0o755)
    user.kept += ("bin",)
    user.variables |= {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    user.variables |= {"PIP_KEYRING_PROVIDER": "subprocess", "UV_KEYRING_PROVIDER": "subprocess"}
    return ["alpha"], {"index_url": f"http://{USER}@{address}/simple/"}


OTHERS, LATER = ("plain", "escaped", "colon", "slash"), ("direct", "path", "git", "typed")  # with --full
FORMS = (
    *("index_url", "extra_index_url", "find_links", "direct", "query", "git", "user", "typed", "file", "variables"),
    *("netrc", "keyring"),
)


@pytest.mark.parametrize("engine", ["pip", "uv"])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_that_works_is_nowhere_afterwards(user: User, address: str, form: str, engine: str) -> None:
    arguments, options = asked_for(form, PASSWORDS["escaped" if form != "netrc" else "plain"], address, user)
    with ProcessList() as processes:
        said = user.run("-c", PROGRAM, ASKED=json.dumps([arguments, {**options, "engine": engine}]))
    assert "WORKED" in said, said
    user.check(said, processes=processes)


@pytest.mark.parametrize("engine", ["pip", "uv"])
@pytest.mark.parametrize("password", ["raw at", *(pytest.param(name, marks=pytest.mark.full) for name in OTHERS)])
@pytest.mark.parametrize("form", ["index_url", *(pytest.param(name, marks=pytest.mark.full) for name in LATER)])
def test_no_part_of_a_password_is_shown(user: User, address: str, form: str, password: str, engine: str) -> None:
    """Whether the request succeeds or not."""
    secret = PASSWORDS.get(password, f"{MARK}/{MARK}")
    if form == "path":
        arguments, options = [f"http:/{USER}:{secret}@{address}/alpha-1.0-py3-none-any.whl"], {}
    else:
        arguments, options = asked_for(form, secret, address, user)
    said = user.run("-c", PROGRAM, ASKED=json.dumps([arguments, {**options, "engine": engine}]))
    user.check(said)


@pytest.mark.parametrize("engine", ["pip", "uv"])
@pytest.mark.parametrize("way", ["options", "variables", "configuration"])
def test_a_build_that_needs_a_private_index_does_not_show_its_password(
    user: User, address: str, way: str, engine: str
) -> None:
    """Neither in the list of processes, while the engine fetches the build's requirements, nor in its output."""
    index = f"http://{USER}:{MARK}%40{MARK}@{address}/simple/"
    options: dict[str, object] = {"engine": engine}
    if way == "options":
        options |= {"index_url": f"http://{address}/none/", "extra_index_urls": [index]}
    elif way == "variables":
        user.variables |= {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
    else:
        path = user.place / "home" / "pip.conf"
        path.write_text(f"[global]\nindex-url = {index.replace('%', '%%')}\n", encoding="utf-8")
        settings = user.place / "home" / "uv.toml"
        settings.write_text(f'[[index]]\nurl = "{index}"\ndefault = true\n', encoding="utf-8")
        user.variables |= {"PIP_CONFIG_FILE": str(path), "UV_CONFIG_FILE": str(settings)}
        user.kept += ("home",)
    with ProcessList() as processes:
        said = user.run("-c", PROGRAM, ASKED=json.dumps([["built"], options]))
        assert "WORKED" in said, said
        said += user.run("-c", PROGRAM, ASKED=json.dumps([["broken"], options]))
    assert "RuntimeError" in said, said
    user.check(said, processes=processes)


@pytest.mark.parametrize("engine", ["pip", "uv"])
def test_a_secret_that_was_typed_on_the_command_line_is_not_recorded(user: User, address: str, engine: str) -> None:
    """It is only in the list of processes, where the user's command has put it."""
    index = f"http://{USER}:{MARK}@{MARK}@{address}/simple/"
    said = user.run("-m", "liveinstall", "guard", "on")
    for words in (["alpha==1.0"], ["--debug", "no-such"], ["alpha==2.0", "--when", "restart"], ["-U", "alpha==2.0"]):
        debug = [word for word in words if word == "--debug"]
        rest = [word for word in words if word != "--debug"]
        said += user.run("-m", "liveinstall", *debug, "install", "--engine", engine, "--index-url", index, *rest)
    user.check(said)
