"""One consistent view (P4) of `.pth` and `.start` files, if a start swaps them, or imports them from a part.

From Python 3.15 on `site` has read all of them, and extended sys.path, before the first line runs (PEP 829). Still each
line of the new version takes effect once and at its place, those of the old version never, and all others once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.capabilities import can_symlink
from helpers.in_process_site import KILLED, Place

import _liveinstall_boot

NEW_SITE = sys.version_info >= (3, 15)
needs_start_files = pytest.mark.skipif(not NEW_SITE, reason="site reads .start files from Python 3.15 on")
OTHERS = ["aaa", "zzz"]
POINTS = ["aaa point", "zzz point"] if NEW_SITE else []
PART = "alpha-2.0.part"

SHOW = """import json, sys
path = [entry.replace("\\\\", "/") for entry in sys.path if "site-packages" in entry]
path = [entry.rpartition("site-packages")[2].strip("/") for entry in path]
print(json.dumps([getattr(sys, "ran", []), path]))
"""


def line(word: str) -> str:
    return f"import sys; sys.ran = getattr(sys, 'ran', []) + [{word!r}]\n"


def entry_point(word: str) -> str:
    return f"def go():\n    {line(word)}"


def python(place: Place, code: str, *arguments: str) -> subprocess.Popen:
    """An interpreter that has the directory as its site-packages."""
    code = f"import site; site.addsitedir({str(place.site)!r}); {code}"
    command = [sys.executable, "-I", "-S", *arguments, "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def started(place: Place, *arguments: str) -> tuple[list[str], list[str]]:
    """The lines that ran in a silent start, and the entries of sys.path in site-packages."""
    process = python(place, SHOW, *arguments)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return told(out)


def told(output: str) -> tuple[list[str], list[str]]:
    ran, path = json.loads(output)
    if NEW_SITE:
        return ran, path
    return list(dict.fromkeys(ran)), list(dict.fromkeys(path))  # up to 3.14 lines may run twice


def files_of(name: str) -> dict[str, str]:
    return {
        f"{name}.pth": line(name) + f"{name}_dir\n",
        f"{name}_dir/x.py": "",
        f"{name}_.start": f"{name}_:go\n",
        f"{name}_.py": entry_point(f"{name} point"),
    }


@pytest.fixture
def place(place):
    """With distributions with lines that must not change; they run before and after those of alpha."""
    place.install(*(place.candidate(name, "1.0", files_of(name)) for name in OTHERS))
    return place


def install(place: Place, files: dict[str, str], name: str = "alpha") -> None:
    place.install(place.candidate(name, "1.0", {f"{name}.py": "V = 1\n", **files}))


def stage(place: Place, files: dict[str, str], name: str = "alpha") -> str:
    return place.stage(place.candidate(name, "2.0", {f"{name}.py": "V = 2\n", **files}))


@contextmanager
def in_use(place: Place):
    """A running process uses alpha: meanwhile other starts import its part."""
    boot = str(Path(_liveinstall_boot.__file__).parents[1])
    hold = (
        f"sys.path.append({boot!r}); from _liveinstall_boot.holds import take_hold; take_hold({str(place.site)!r}, 'x')"
    )
    with python(place, f"import sys, alpha; {hold}; print('held', flush=True); input()") as process:
        assert process.stdout.readline() == "held\n", process.stderr.read()
        yield
        process.communicate("\n")


def versions(place: Place) -> set[str]:
    return {path.name.removesuffix(".dist-info") for path in place.site.glob("*.dist-info")}


CASES = {
    "a changed import line": (
        {"alpha.pth": "import _boot1\n", "_boot1.py": line("old")},
        {"alpha.pth": "import _boot2\n", "_boot2.py": line("new")},
        (["aaa", "new", "zzz", *POINTS], []),
    ),
    "an unchanged import line": (
        {"alpha.pth": line("same")},
        {"alpha.pth": line("same")},
        (["aaa", "same", "zzz", *POINTS], []),
    ),
    "a changed path": (
        {"alpha.pth": "alpha_1\n", "alpha_1/inpath.py": "V = 1"},
        {"alpha.pth": "alpha_2\nalpha_3\n", "alpha_2/inpath.py": "V = 2", "alpha_3/inpath.py": "V = 3"},
        ([*OTHERS, *POINTS], ["alpha_2", "alpha_3"]),
    ),
    "a new file": (
        {},
        {"kappa.pth": line("new") + "alpha_2\n", "alpha_2/inpath.py": ""},
        (["aaa", "new", "zzz", *POINTS], ["alpha_2"]),
    ),
    "another file": (
        {"alpha.pth": "import _boot1\nalpha_1\n", "_boot1.py": line("old"), "alpha_1/inpath.py": ""},
        {"alpha2.pth": "import _boot2\nalpha_2\n", "_boot2.py": line("new"), "alpha_2/inpath.py": ""},
        (["aaa", "new", "zzz", *POINTS], ["alpha_2"]),
    ),
    "a file that is no more": (
        {"alpha.pth": "import _boot1\nalpha_1\n", "_boot1.py": line("old"), "alpha_1/inpath.py": ""},
        {},
        ([*OTHERS, *POINTS], []),
    ),
}
START_CASES = {
    "a changed entry point": (
        {"alpha.start": "_go1:go\n", "_go1.py": entry_point("old")},
        {"alpha.start": "_go2:go\n", "_go2.py": entry_point("new")},
        ([*OTHERS, "aaa point", "new", "zzz point"], []),
    ),
    "the same entry point": (
        {"alpha.start": "_go:go\n", "_go.py": entry_point("old")},
        {"alpha.start": "_go:go\n", "_go.py": entry_point("new")},
        ([*OTHERS, "aaa point", "new", "zzz point"], []),
    ),
    "an entry point instead of an import line": (
        {"alpha.pth": "import _boot1\n", "_boot1.py": line("old")},
        {"alpha.pth": "import _nothing\n", "alpha.start": "# new\n_go:go\n", "_go.py": entry_point("new")},
        ([*OTHERS, "aaa point", "new", "zzz point"], []),
    ),
    "an import line instead of an entry point": (
        {"alpha.pth": "import _nothing\n", "alpha.start": "_go:go\n", "_go.py": entry_point("old")},
        {"alpha.pth": "import _boot2\n", "_boot2.py": line("new")},
        (["aaa", "new", "zzz", "aaa point", "zzz point"], []),
    ),
    "an entry point that is no more": (
        {"alpha.start": "_go:go\n", "_go.py": entry_point("old")},
        {},
        ([*OTHERS, "aaa point", "zzz point"], []),
    ),
}


ALL_CASES = [pytest.param(*case, id=name) for name, case in CASES.items()]
ALL_CASES += [pytest.param(*case, id=name, marks=needs_start_files) for name, case in START_CASES.items()]


@pytest.mark.parametrize(("old", "new", "expected"), ALL_CASES)
def test_a_start_that_swaps_runs_the_new_lines_once_and_no_old_one(place, old, new, expected):
    install(place, old)
    stage(place, new)
    ran, paths = expected
    path = ["", "aaa_dir", *paths, "zzz_dir"]
    for _ in range(2):
        now = started(place)
        if NEW_SITE:
            assert now == (ran, path)
        else:  # a file that site.py has not listed runs at once
            assert (sorted(now[0]), sorted(now[1])) == (sorted(ran), sorted(path))
    assert "alpha-2.0" in versions(place)


@pytest.mark.skipif(not NEW_SITE, reason="up to 3.14 site runs the lines of the installed version too")
@pytest.mark.parametrize(("old", "new", "expected"), ALL_CASES)
def test_a_start_that_imports_a_part_runs_the_new_lines_once_and_no_old_one(place, old, new, expected):
    install(place, old)
    ran, paths = expected
    inner = [f"{PART}/{path}" for path in paths]
    with in_use(place):
        stage(place, new)
        assert started(place) == (ran, [PART, *inner, "", "aaa_dir", "zzz_dir"])
        assert "alpha-1.0" in versions(place)
    assert started(place) == (ran, ["", "aaa_dir", *paths, "zzz_dir"])


def test_what_the_path_of_a_part_leads_to_is_imported_first(place):
    old, new, _ = CASES["a changed path"]
    install(place, old)
    with in_use(place):
        stage(place, new)
        assert python(place, "import alpha, inpath; print(alpha.V, inpath.V)").communicate() == ("2 2\n", "")
    assert python(place, "import alpha, inpath; print(alpha.V, inpath.V)").communicate() == ("2 2\n", "")


def test_a_companion_precedes_the_files_of_its_distribution(place):
    """Otherwise an old line would already have run."""
    install(place, {"aa.pth": line("old")})
    stage(place, {"aa.pth": line("new")})
    assert (place.site / f"!{PART}.pth").is_file()
    assert "old" not in started(place)[0]


def test_start_files_of_others_do_not_switch_a_companion_off(place):
    """`site` ignores the import lines of a .pth file if there is a .start file of the same name."""
    install(place, {})
    for name in ("alpha", "alpha-2.0", f"{PART}"):
        (place.site / f"{name}.start").write_text("")
    stage(place, {})
    assert sorted(path.name for path in place.site.glob("alpha*.start")) == ["alpha-2.0.start", "alpha.start"]
    started(place)
    assert "alpha-2.0" in versions(place)


def test_the_lines_of_what_is_removed_do_not_run(place):
    install(
        place, {"alpha.pth": "import _boot\nalpha_1\n", "_boot.py": line("x"), "alpha_1/x.py": "", **files_of("beta")}
    )
    place.stage(remove=("alpha",))
    assert started(place) == ([*OTHERS, *POINTS], ["", "aaa_dir", "zzz_dir"])


def test_several_transactions_are_applied_in_one_start(place):
    for name in ("beta", "alpha"):
        install(place, {f"{name}.pth": f"import _{name}1\n", f"_{name}1.py": line("old")}, name)
    for name in ("beta", "alpha"):
        stage(place, {f"{name}.pth": f"import _{name}2\n", f"_{name}2.py": line(name)}, name)
    assert started(place) == (["aaa", "alpha", "beta", "zzz", *POINTS], ["", "aaa_dir", "zzz_dir"])


def changing(name: str, version: int, word: str) -> dict[str, str]:
    """Files that change completely with the version."""
    files = {f"{name}.pth": f"import _{name}{version}\n{name}_{version}\n", f"_{name}{version}.py": line(word)}
    point = {f"{name}_.start": f"_go_{name}{version}:go\n", f"_go_{name}{version}.py": entry_point(f"{word} point")}
    return {**files, f"{name}_{version}/inpath.py": f"V = {version}\n", **point}


def both(*words: str) -> list[str]:
    """The lines that run for these distributions and for the unchanged ones."""
    words = sorted([*words, *OTHERS])
    return [*words, *(f"{word} point" for word in words)] if NEW_SITE else words


@pytest.mark.skipif(not NEW_SITE, reason="up to 3.14 site runs the lines of the installed version too")
def test_a_start_that_imports_several_parts(place):
    for name in ("alpha", "beta"):
        install(place, changing(name, 1, "old"), name)
    with in_use(place):
        for name in ("beta", "alpha"):
            stage(place, changing(name, 2, name), name)
        ran, path = started(place)
        assert ran == both("alpha", "beta")
        assert sorted([path[:2], path[2:4]]) == [[f"{n}-2.0.part", f"{n}-2.0.part/{n}_2"] for n in ("alpha", "beta")]
        assert path[4:] == ["", "aaa_dir", "zzz_dir"]
    assert started(place) == (both("alpha", "beta"), ["", "aaa_dir", "alpha_2", "beta_2", "zzz_dir"])


@pytest.mark.parametrize(
    "options", [["-W", "error"], ["-X", "dev"], ["-bb"], ["-OO"], ["-P"], ["-X", "lazy_imports=all"]]
)
def test_the_options_of_a_start_make_no_difference(place, options):
    install(place, changing("alpha", 1, "old"))
    stage(place, changing("alpha", 2, "new"))
    assert started(place, *options) == (both("new"), ["", "aaa_dir", "alpha_2", "zzz_dir"])


@needs_start_files
def test_with_another_site_a_start_still_swaps_and_fails_nowhere(place):
    """A later Python may differ internally: then new lines run at once, and the lines that `site` has read run, too."""
    install(place, {"alpha.pth": line("same") + "alpha_1\n", "alpha_1/x.py": ""})
    stage(place, {"alpha.pth": line("same") + "alpha_2\n", "alpha_2/x.py": ""})
    (place.site / "!!odd.pth").write_text("import site; del site.StartupState._read_start_file\n")
    ran, path = started(place)
    assert (set(ran), path[-1]) == ({"same", *OTHERS, *POINTS}, "alpha_2")
    assert "alpha-2.0" in versions(place)


KILL = f"""
import os, sys
changed = -1
def hook(event, arguments):
    global changed
    is_write = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if is_write or event in ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.link", "os.utime"):
        changed += 1
        if changed == int(os.environ["KILL_AT"]):
            os._exit({KILLED})
sys.addaudithook(hook)
"""


@pytest.mark.skipif(os.name == "nt", reason="files that are open cannot be replaced")
def test_a_start_that_is_killed_at_any_point_is_followed_by_one_that_runs_the_new_lines_once(place, monkeypatch):
    install(place, changing("alpha", 1, "old"))
    stage(place, changing("alpha", 2, "new"))
    kept = place.copy(place.root.with_name("kept"))
    killer = {"!!kill.pth": "import _kill\n", "_kill.py": KILL}
    status, at = KILLED, 0
    while status == KILLED:
        for name, content in killer.items():
            (place.site / name).write_text(content)
        monkeypatch.setenv("KILL_AT", str(at))
        process = python(place, "pass")
        assert not process.communicate()[1], at
        status = process.returncode
        for name in killer:
            (place.site / name).unlink()
        for _ in range(2):
            assert started(place) == (both("new"), ["", "aaa_dir", "alpha_2", "zzz_dir"]), at
        shutil.rmtree(place.root)
        shutil.copytree(kept.root, place.root, symlinks=True)
        at += 1
    assert status == 0 and at > 20


# --- in virtual environments ------------------------------------------------------------------------------------------


def test_a_venv_and_what_is_undone_there(env):
    for version in (1, 2):
        env.wheel("alpha", f"{version}.0", {"alpha.py": "", **changing("alpha", version, f"alpha {version}")})
    for version, code in (
        (1, "li.install('alpha<2')"),
        (2, "import alpha; li.install('alpha>=2')"),
        (1, "import alpha; li.undo()"),
    ):
        env.json(f"{code}; print('[]')")
        for _ in range(2):
            done = env.bare(SHOW, "-W", "error")
            assert (done.returncode, done.stderr) == (0, "")
            ran, path = told(done.stdout)
            assert (ran, path) == (
                [f"alpha {version}", f"alpha {version} point"][: 1 + NEW_SITE],
                ["", f"alpha_{version}"],
            )


@can_symlink
def test_a_trial_runs_the_new_lines_once(env):
    for version in (1, 2):
        env.wheel("alpha", f"{version}.0", {"alpha.py": "", **changing("alpha", version, f"alpha {version}")})
    env.json("li.install('alpha<2'); print('[]')")
    tried = env.json(
        f"import alpha; li.install('alpha>=2'); t = li.trial({SHOW!r}); print(json.dumps([t.stdout, t.stderr]))"
    )
    assert (told(tried[0])[0], tried[1]) == (["alpha 2", "alpha 2 point"][: 1 + NEW_SITE], "")


@needs_start_files
def test_what_is_installed_in_a_running_process_takes_effect_there_at_once(env):
    """First the paths, then import lines, unless there is a .start file of the same name, and last entry points."""
    files = {
        "alpha.py": "",
        **changing("alpha", 1, "new"),
        "old_way.pth": "import _nothing\n",
        "old_way.start": "_go:go\n",
    }
    env.wheel("alpha", "1.0", {**files, "alpha_1/_go.py": entry_point("last")})
    code = f"li.install('alpha', quiet=True)\n{SHOW}"
    assert env.json(code) == [["new", "new point", "last"], ["", "alpha_1"]]


@needs_start_files
def test_the_lines_of_the_guard_and_of_registries_run_with_those_that_change(env):
    for version in (1, 2):
        env.wheel(
            "alpha", f"{version}.0", {"alpha.py": f"V = {version}", **changing("alpha", version, f"alpha {version}")}
        )
    env.json("li.install('alpha<2'); li.guard('on'); print('[]')")
    run = env.run("from liveinstall.__main__ import main; sys.argv[1:] = ['registry', 'enable']; sys.exit(main())")
    assert run.returncode == 0, run.stderr
    env.json("import alpha; li.install('alpha>=2'); print('[]')")
    code = "import os; print(len(os.environ.get('LIVEINSTALL_HOLD', '')) > 0)\n"
    done = env.bare(code + SHOW)
    held, _, rest = done.stdout.partition("\n")
    assert (held, done.stderr) == ("True", "")
    assert told(rest) == (["alpha 2", "alpha 2 point"], ["", "alpha_2"])
