"""The outcome of a request does not depend on the engine: the same tests with pip and with uv, without a network."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from integration.lib.checks import left_overs, missing_files, tree
from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.hostile import KINDS, VICTIM, build, build_good
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.lib.wheels import write_index, write_wheel

# Runs each of its arguments, code that may set a result, and prints the outcomes as JSON.
_LIVE = """
import json, os, sys
import importlib.metadata as metadata
import liveinstall
from functools import partial
offline = {"no_index": True, "find_links": [os.environ["WHEELS"]], "engine": os.environ["ENGINE"]}
install, plan = partial(liveinstall.install, **offline), partial(liveinstall.plan, **offline)

def told(result):
    kinds = {kind: getattr(result, kind, ()) for kind in ("installed", "staged", "removed", "unchanged", "changes")}
    found = {kind: {c.name: c.new_version for c in changes} for kind, changes in kinds.items() if changes}
    found |= {"conflicts": result.conflicts} if getattr(result, "conflicts", ()) else {}
    found |= {"remedy": result.remedy} if getattr(result, "remedy", ()) else {}
    return found | ({"notes": result.notes} if getattr(result, "notes", ()) else {})

for code in sys.argv[1:]:
    try:
        answer = eval(code)
        print(json.dumps(told(answer) if hasattr(answer, "changed") or hasattr(answer, "changes") else answer))
    except liveinstall.LiveInstallError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""
_USE = "__import__('alpha').VERSION"
_BACKEND = """
import os, zipfile
from pathlib import Path
INFO = "theta-1.0.dist-info"
def _wheel(directory, files):
    files[INFO + "/METADATA"] = "Metadata-Version: 2.1\\nName: theta\\nVersion: 1.0\\nRequires-Dist: beta\\n"
    files[INFO + "/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    import base64, hashlib
    hashed = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    rows = "".join(f"{name},sha256={hashed(text)},{len(text)}\\n" for name, text in files.items())
    files[INFO + "/RECORD"] = rows + INFO + "/RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(directory, "theta-1.0-py3-none-any.whl"), "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return "theta-1.0-py3-none-any.whl"
def build_wheel(directory, config_settings=None, metadata_directory=None):
    if Path("broken").exists():
        raise SystemExit("theta cannot be built here")
    how = (config_settings or {}).get("how", "")
    return _wheel(directory, {"theta.py": Path("theta.py").read_text() + f"HOW = {how!r}\\n"})
def build_editable(directory, config_settings=None, metadata_directory=None):
    return _wheel(directory, {"theta.pth": os.getcwd() + "\\n"})
def get_requires_for_build_wheel(config_settings=None):
    return []
get_requires_for_build_editable = get_requires_for_build_wheel
"""


@pytest.fixture(params=["pip", "uv"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    if request.param == "uv" and not find_uv():
        pytest.skip("there is no uv")
    return str(request.param)


@pytest.fixture
def house(tmp_path: Path, wheels: Path) -> Path:
    """A wheelhouse: alpha, beta and gamma, delta with an extra that requires beta, epsilon, which requires alpha 1."""
    directory = tmp_path / "house"
    directory.mkdir()
    for wheel in wheels.glob("*.whl"):
        (directory / wheel.name).write_bytes(wheel.read_bytes())
    write_wheel(directory, "delta", "1.0", headers=["Provides-Extra: fast", "Requires-Dist: beta; extra == 'fast'"])
    write_wheel(directory, "delta", "1.1rc1")
    write_wheel(directory, "epsilon", "1.0", headers=["Requires-Dist: alpha<2"])
    write_wheel(directory, "eta", "1.0", headers=["Requires-Dist: alpha<2", "Requires-Dist: zeta"])
    write_wheel(directory, "zeta", "1.0", headers=["Requires-Dist: alpha>=2"])
    return directory


def project(directory: Path) -> Path:
    """A source tree of theta 1.0, which requires beta; its build needs no other project."""
    directory.mkdir()
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    head = '[project]\nname = "theta"\nversion = "1.0"\ndependencies = ["beta"]\n'
    (directory / "pyproject.toml").write_text(build + head, encoding="utf-8")
    (directory / "backend.py").write_text(_BACKEND, encoding="utf-8")
    (directory / "theta.py").write_text("VERSION = '1.0'\n", encoding="utf-8")
    return directory


def live(environment: Environment, engine: str, house: Path, *codes: str, **more: str) -> list[Any]:
    """The outcome of each of `codes`, in one process."""
    variables = user_variables(ENGINE=engine, WHEELS=str(house), UV=find_uv() or "", **more)
    done = environment.run("-c", _LIVE, *codes, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def versions(environment: Environment) -> dict[str, str]:
    """The versions in a new interpreter; its start swaps pending changes."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = environment.run("-c", code, check=True)
    assert not done.stderr, done.stderr
    found = json.loads(done.stdout)
    return {name: version for name, version in found.items() if name in ("alpha", "beta", "gamma", "delta", "theta")}


def whole(environment: Environment) -> None:
    """No file is missing and there are no leftovers."""
    assert not left_overs(environment.site) and not list(missing_files(environment.site))
    environment.remove()


def test_what_is_new_is_there_at_once_with_what_its_extra_needs(
    environment: Environment, engine: str, house: Path
) -> None:
    told, imported, again = live(
        environment, engine, house, "install('delta[fast]')", "__import__('beta').VERSION", "install('delta[fast]')"
    )
    assert told == {"installed": {"beta": "1.0", "delta": "1.0"}}
    assert imported == "1.0" and again == {"unchanged": {"delta": "1.0"}}
    assert versions(environment) == {"alpha": "1.0", "beta": "1.0", "delta": "1.0"}
    whole(environment)


def test_what_is_loaded_is_staged_and_swapped_at_the_next_start(
    environment: Environment, engine: str, house: Path
) -> None:
    _, planned, told, old = live(environment, engine, house, _USE, "plan('alpha>=2')", "install('alpha>=2')", _USE)
    assert planned == {"changes": {"alpha": "2.0"}} and told == {"staged": {"alpha": "2.0"}} and old == "1.0"
    assert versions(environment) == {"alpha": "2.0"}
    assert environment.run(environment.scripts / "alpha", check=False).stdout == "2.0\n"
    assert not (environment.scripts / "alpha-old").exists()
    whole(environment)


def test_later_requests_are_planned_over_pending_changes(environment: Environment, engine: str, house: Path) -> None:
    _, first, second, third, fourth = live(
        environment,
        engine,
        house,
        _USE,
        "install('alpha>=2')",
        "install('gamma')",
        "install('gamma')",
        "install('beta')",
    )
    assert first == {"staged": {"alpha": "2.0"}}
    assert second["staged"] == {"gamma": "1.0"}, "alpha 2 waits already, and is not fetched once more"
    assert "unchanged" not in third and "gamma 1.0 is still pending" in third["notes"]
    assert fourth["installed"] == {"beta": "1.0"}
    assert versions(environment) == {"alpha": "2.0", "beta": "1.0", "gamma": "1.0"}
    whole(environment)


def test_going_back_takes_the_waiting_change_away(environment: Environment, engine: str, house: Path) -> None:
    _, _, told, waits = live(
        environment, engine, house, _USE, "install('alpha>=2')", "install('alpha==1.0')", "len(liveinstall.pending())"
    )
    assert told["unchanged"] == {"alpha": "1.0"} and waits == 0
    assert versions(environment) == {"alpha": "1.0"}
    whole(environment)


def test_cancelling_leaves_nothing(environment: Environment, engine: str, house: Path) -> None:
    live(environment, engine, house, _USE, "install('gamma')", "len(liveinstall.cancel() or ()) and None")
    assert versions(environment) == {"alpha": "1.0"}
    whole(environment)


def test_a_downgrade_happens_like_an_upgrade(environment: Environment, engine: str, house: Path) -> None:
    up, down = live(environment, engine, house, "install('alpha', upgrade=True)", "install('alpha<2')")
    assert (up, down) == ({"installed": {"alpha": "2.0"}}, {"installed": {"alpha": "1.0"}})
    assert versions(environment) == {"alpha": "1.0"}
    whole(environment)


def test_upgrading_spares_what_need_not_be_upgraded(environment: Environment, engine: str, house: Path) -> None:
    write_wheel(house, "beta", "0.9")
    _, told = live(
        environment, engine, house, "install('beta<1', 'delta[fast]')", "install('delta[fast]', upgrade=True, pre=True)"
    )
    assert told["installed"] == {"delta": "1.1rc1"} and set(told) == {"installed", "notes"}
    assert "fast" in told["notes"][0]  # the new version does not have this extra
    assert versions(environment)["beta"] == "0.9"
    whole(environment)


def test_requirements_that_are_no_longer_satisfied_are_reported(
    environment: Environment, engine: str, house: Path
) -> None:
    first, second = live(environment, engine, house, "install('epsilon')", "install('alpha>=2')")
    assert first == {"installed": {"epsilon": "1.0"}}
    assert second["staged"] == {"alpha": "2.0"} and "epsilon 1.0 requires alpha<2" in second["conflicts"][0]
    assert "remedy" not in second
    assert versions(environment) == {"alpha": "2.0"}
    whole(environment)


def test_a_conflict_comes_with_the_requirements_that_the_resolver_has_found_to_fit(
    environment: Environment, engine: str, house: Path
) -> None:
    write_wheel(house, "epsilon", "2.0", headers=["Requires-Dist: alpha>=2"])
    call = "liveinstall.install({}, engine=os.environ['ENGINE'])"  # without options, which a remedy omits
    calls = [call.format(asked) for asked in ("'epsilon==1.0'", "'alpha>=2'", "'alpha>=2', 'epsilon'")]
    configured = {f"{name}_NO_INDEX": "1" for name in ("PIP", "UV")}
    configured |= {f"{name}_FIND_LINKS": str(house) for name in ("PIP", "UV")}
    _, second, third = live(environment, engine, house, *calls, **configured)
    assert "epsilon 1.0 requires alpha<2" in second["conflicts"][0]
    assert second["remedy"] == ["alpha>=2", "epsilon"]
    assert "conflicts" not in third
    assert versions(environment) == {"alpha": "2.0"}
    whole(environment)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("install('nothing-here')", "ResolutionError"),
        ("install('alpha>=3')", "ResolutionError"),
        ("install('gamma', 'alpha==1.0')", "ResolutionError"),
        ("install('eta')", "ResolutionError"),
        ("install('alpha', constraints=['alpha>=3'])", "ResolutionError"),
        ("install('alpha', engine='conda')", "RequirementError"),
    ],
)
def test_what_cannot_be_is_an_error_and_changes_nothing(
    environment: Environment, engine: str, house: Path, code: str, error: str
) -> None:
    before = tree(environment.path)
    (told,) = live(environment, engine, house, code)
    assert told["error"] == error and "Nothing was changed." in told["message"], told
    assert tree(environment.path) == before
    whole(environment)


def test_an_engine_that_waits_for_an_answer_is_stopped(environment: Environment, engine: str, house: Path) -> None:
    before = tree(environment.path)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts silently
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        (told,) = live(environment, engine, house, f"install('alpha>=2', find_links=[{address!r}], timeout=3)")
    assert told["error"] == "EngineTimeoutError" and "Nothing was changed." in told["message"], told
    assert tree(environment.path) == before
    whole(environment)


def test_constraints_reinstall_and_no_deps(environment: Environment, engine: str, house: Path) -> None:
    held, same, alone = live(
        environment,
        engine,
        house,
        "install('alpha', upgrade=True, constraints=['alpha<2'])",
        "install('alpha<2', reinstall=True)",
        "install('delta[fast]', deps=False)",
    )
    assert held == {"unchanged": {"alpha": "1.0"}} and same == {"installed": {"alpha": "1.0"}}
    assert alone["installed"] == {"delta": "1.0"}
    whole(environment)


def test_what_the_engine_warns_about_is_a_note(environment: Environment, engine: str, house: Path) -> None:
    (told,) = live(environment, engine, house, "install('beta[nothing]==1.0')")
    assert told["installed"] == {"beta": "1.0"}
    assert any("beta" in note and "extra" in note and "nothing" in note for note in told["notes"]), told


def test_a_wheel_by_its_address_says_where_it_came_from(environment: Environment, engine: str, house: Path) -> None:
    wheel = house / "beta-1.0-py3-none-any.whl"
    by_url, by_path = live(
        environment, engine, house, f"install('beta @ {wheel.as_uri()}')", f"install({str(wheel)!r})"
    )
    assert by_url == {"installed": {"beta": "1.0"}} and "error" not in by_path
    direct = json.loads((environment.site / "beta-1.0.dist-info" / "direct_url.json").read_text(encoding="utf-8"))
    assert direct["url"] == wheel.as_uri()
    whole(environment)


def test_an_index_of_files_tells_where_each_came_from(
    environment: Environment, engine: str, house: Path, tmp_path: Path
) -> None:
    index = write_index(tmp_path / "index", {house / "beta-1.0-py3-none-any.whl": ' data-yanked="broken"'})
    options = f"no_index=False, find_links=[], index_url={index!r}"
    told, past = live(
        environment,
        engine,
        house,
        f"install('beta==1.0', {options})",
        "[[s.url, s.sha256] for s in liveinstall.history()[0].sources.values()]",
        PIP_CONFIG_FILE="/dev/null",
        PIP_FIND_LINKS="",
    )
    assert told["installed"] == {"beta": "1.0"} and any("beta 1.0 is yanked" in note for note in told["notes"])
    assert past[0][0] == (house / "beta-1.0-py3-none-any.whl").as_uri()
    whole(environment)


def test_a_project_is_built(environment: Environment, engine: str, house: Path, tmp_path: Path) -> None:
    source = project(tmp_path / "theta")
    told, version = live(
        environment, engine, house, f"install('theta @ {source.as_uri()}')", "__import__('theta').VERSION"
    )
    assert told == {"installed": {"beta": "1.0", "theta": "1.0"}} and version == "1.0"
    direct = json.loads((environment.site / "theta-1.0.dist-info" / "direct_url.json").read_text(encoding="utf-8"))
    assert direct == {"url": source.as_uri(), "dir_info": {}}
    whole(environment)


def test_a_project_that_cannot_be_built_is_an_error_in_its_own_words(
    environment: Environment, engine: str, house: Path, tmp_path: Path
) -> None:
    source = project(tmp_path / "theta")
    (source / "broken").touch()
    before = tree(environment.path)
    (told,) = live(environment, engine, house, f"install('theta @ {source.as_uri()}')")
    assert told["error"] == "BuildError", told
    assert tree(environment.path) == before
    whole(environment)


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
def test_both_engines_leave_the_same_tree(wheel: Path, house: Path, tmp_path: Path) -> None:
    base = find_python(CURRENT)
    assert base
    data = {"zeta-2.0.data/scripts/zeta-tool": "#!python\nprint(1)\n", "zeta-2.0.data/data/share/zeta/x.txt": "x"}
    data |= {"zeta-2.0.data/headers/zeta.h": "/**/", "zeta-2.0.data/purelib/zeta_more.py": "", "zeta/é.txt": "é"}
    write_wheel(house, "zeta", "2.0", files=data, scripts=["zeta", "zeta-too"])
    found = {}
    for name in ("pip", "uv"):
        made = Environment.make(tmp_path / "venv", base)  # at the same path, which is in scripts and RECORD
        add_liveinstall(made, wheel)
        live(made, name, house, "install('zeta==2.0', 'gamma', 'delta[fast]')")
        found[name] = {path: how for path, how in tree(made.path).items() if not path.endswith("RECORD")}
        found[name] |= {
            str(path.relative_to(made.path)): sorted(path.read_text(encoding="utf-8").splitlines())
            for path in made.site.glob("*.dist-info/RECORD")
        }
        made.remove()
    assert "share/zeta/x.txt" in found["uv"] and "bin/zeta-tool" in found["uv"]
    assert found["uv"] == found["pip"]


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
@pytest.mark.parametrize("mode", ["", "copy"])
def test_files_are_shared_with_the_cache_of_uv_unless_it_is_set_to_copy(
    environment: Environment, house: Path, tmp_path: Path, mode: str
) -> None:
    live(environment, "uv", house, "install('beta')", UV_CACHE_DIR=str(tmp_path / "cache"), UV_LINK_MODE=mode)
    links = (environment.site / "beta" / "late.py").stat().st_nlink
    assert (links > 1) == (mode == "")
    unpacked = tree(next((tmp_path / "cache").rglob("beta/late.py")).parent)
    environment.run("-c", "import beta, beta.late", check=True)
    live(environment, "uv", house, "liveinstall.undo()")
    assert tree(next((tmp_path / "cache").rglob("beta/late.py")).parent) == unpacked
    environment.remove()


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
def test_an_environment_of_uv_without_pip_needs_no_word(tmp_path: Path, wheel: Path, house: Path) -> None:
    uv = find_uv()
    assert uv
    subprocess.run([uv, "venv", "-q", str(tmp_path / "venv")], check=True, env=user_variables())
    made = Environment.at(tmp_path / "venv")
    add_liveinstall(made, wheel)
    made.run("-m", "pip", "uninstall", "-qy", "pip", check=True)
    told, version = live(made, "auto", house, "install('beta')", "__import__('beta').VERSION")
    assert told == {"installed": {"beta": "1.0"}} and version == "1.0"
    made.remove()


# What uv repairs while it unpacks, so that nothing is left to be refused: rows of RECORD without files, entries that
# lead outside, special files, and what only an archive can hide. See docs/engines.md.
_MENDED = {
    "only_in_record",
    "outside_in_record",
    "twice_in_record",
    "traversal",
    "inner_traversal",
    "absolute",
    "share",
}
_MENDED |= {"directory_traversal", "symlink", "device", "fifo", "appended", "hidden_file", "unicode_path", "ratio"}
_MENDED |= {"many_zeros"}
# uv keeps one of two files with one name, the one unpacked last; if RECORD does not list that one, it is refused.
_EITHER = {"duplicate"}
_EITHER |= {"dot_part"}  # one version of uv 0.13 repairs it
# uv ignores files of an index with another name than the distribution's, or without a version.
_NOT_OFFERED = {"name_in_file_name", "no_version_in_file_name"}
_NOT_READ = {"large_metadata"}  # by uv itself, which fails
_OTHERS_FILE = {"script_activate", "other_package", "other_by_data", "other_script"}


def _expected(kind: str) -> set[str]:
    """The outcome of a hostile kind through uv."""
    if kind in _EITHER:
        return {"accepted", "WheelRefusedError"}
    groups = {"accepted": _MENDED, "ResolutionError": _NOT_OFFERED, "EngineError": _NOT_READ}
    groups["FileConflictError"] = _OTHERS_FILE
    return {outcome for outcome, kinds in groups.items() if kind in kinds} or {"WheelRefusedError"}


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
def test_a_wheel_cannot_smuggle_another_distribution_past_the_plan(environment: Environment, house: Path) -> None:
    info = "theta-1.0.data/data/alpha-9.0.dist-info"
    files = {f"{info}/METADATA": "Metadata-Version: 2.1\nName: alpha\nVersion: 9.0\n", f"{info}/RECORD": ""}
    files |= {f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n", f"{info}/INSTALLER": "uv"}
    write_wheel(house, "theta", "1.0", files=files)
    before = tree(environment.path)
    (told,) = live(environment, "uv", house, "install('theta')")
    assert told["error"] == "WheelRefusedError" and "alpha-9.0.dist-info" in told["message"]
    assert tree(environment.path) == before
    environment.remove()


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
@pytest.mark.parametrize("quarter", [0, *(pytest.param(each, marks=pytest.mark.full) for each in (1, 2, 3))])
def test_hostile_wheels_through_uv_are_refused_or_repaired(
    environment: Environment, tmp_path: Path, quarter: int
) -> None:
    """From an index, so that they come from uv's cache; local files are checked as files."""
    build_good(VICTIM, tmp_path)
    environment.add(tmp_path / f"{VICTIM}-1.0-py3-none-any.whl")
    variables = user_variables(UV=find_uv() or "", UV_CACHE_DIR=str(tmp_path / "cache"))
    code = """if True:
        import json, sys, liveinstall
        for line in sys.stdin:
            name, links = json.loads(line)
            try:
                liveinstall.install(
                    name, no_index=True, find_links=[links], engine="uv", deps=False, overlap="refuse")
                print("accepted", flush=True)
            except liveinstall.LiveInstallError as error:
                print(type(error).__name__, flush=True)"""
    command = [str(environment.python), "-c", code]
    outcomes = {}
    with subprocess.Popen(command, env=variables, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin and process.stdout
        for kind in [kind for kind in KINDS if KINDS[kind].expected == "refused"][quarter::4]:
            build(kind, tmp_path / "wheels" / kind, outside=tmp_path / "outside")
            before = tree(environment.path)
            process.stdin.write(json.dumps([kind.replace("_", "-"), str(tmp_path / "wheels" / kind)]) + "\n")
            process.stdin.flush()
            outcomes[kind] = process.stdout.readline().strip()
            after = tree(environment.path)
            changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
            own = [path for path in changed if kind in path and outcomes[kind] == "accepted"]
            assert len(own) == len(changed), (kind, outcomes[kind], changed)
            assert not list((tmp_path / "outside").glob("*")), kind
    assert not {kind: outcome for kind, outcome in outcomes.items() if outcome not in _expected(kind)}
    assert len(outcomes) > 15
    environment.remove()
