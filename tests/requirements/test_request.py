from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.environments import make_wheel
from packaging.requirements import Requirement

from liveinstall import install
from liveinstall._requirements.habits import removals
from liveinstall._requirements.pip_options import OPTIONS, PASSED, PASSED_FLAGS, add_options
from liveinstall._requirements.request import Request, parse_request
from liveinstall._requirements.requirement_files import read_names
from liveinstall._system import command_line
from liveinstall.errors import RequirementError


def parse(*requirements, **options):
    return parse_request(requirements, **options)


def refused(match, *requirements, **options):
    with pytest.raises(RequirementError, match=match) as caught:
        parse(*requirements, **options)
    assert "Nothing was changed." in str(caught.value)
    return str(caught.value)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "proj"
    made.mkdir()
    (made / "pyproject.toml").write_text('[project]\nname="proj"\nversion="1"\n')
    return made


@pytest.mark.parametrize(
    "typed",
    ["pip install rich", "!pip install rich", "%pip install rich", "python -m pip install rich", "uv pip install rich"],
)
def test_a_command_typed_by_habit_is_understood(typed):
    assert parse(typed).requirements == ("rich",)


def test_the_options_of_a_habit_are_understood_or_named():
    request = parse('pip install -U --pre "numpy>=2" rich')
    assert (request.requirements, request.upgrade, request.pre) == (("numpy>=2", "rich"), True, True)
    refused("--target", "pip install --target x rich")
    refused("--upgrade-strategy", "pip install -U --upgrade-strategy later rich")
    refused("quotation", 'pip install "rich')


def test_a_habit_has_pips_spellings_and_adds_to_the_keywords(project):
    Path("reqs.txt").write_text("idna\n")
    request = parse(
        "pip install -qU rich -r reqs.txt -e ./proj -i https://i/ --trusted-host h --no-cache-dir --timeout 9 "
        "--no-binary=a,b -C k=v --user attrs",
        find_links="one",
        extra_index_urls=["https://x/"],
        pre=True,
    )
    assert request.requirements == ("rich", "attrs") and request.files == (str(Path("reqs.txt").absolute()),)
    assert request.editables == (str(project),)
    assert (request.upgrade, request.pre, request.user, request.index_url) == (True, True, True, "https://i/")
    assert (request.find_links, request.extra_index_urls) == (("one",), ("https://x/",))
    assert (request.no_binary, request.config_settings) == (("a", "b"), (("k", "v"),))
    assert request.engine_arguments == ("--trusted-host=h", "--no-cache-dir", "--timeout=9")


WHEEL = 'wheels = [{name = "a-1-py3-none-any.whl", url = "https://h/a-1-py3-none-any.whl", hashes = {sha256 = "ab"}}]'


def test_a_lock_file_among_the_requirements_files_is_the_lock_file(tmp_path):
    lock = tmp_path / "pylock.dev.toml"
    lock.write_text('lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "a"\nversion = "1"\n' + WHEEL)
    assert parse_request((), requirement_files=str(lock)) == parse_request((), pylock=str(lock))


def test_every_option_of_install_can_be_typed_and_the_other_way_round():
    ours = {"requirements", "when", "timeout", "dry_run", "engine", "prefer", "requester", "protect", "on_event"}
    ours |= {"verify", "parallel", "overlap", "conflicts", "report"}  # not an option of pip
    ours |= {"restart", "quiet"}  # -q is an option of the command line only: in a pasted command it has no effect
    keywords = set(inspect.signature(install).parameters) - ours
    assert {option.keyword for option in OPTIONS} == keywords


def test_what_is_not_typed_is_not_set():
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert vars(parser.parse_intermixed_args(["rich", "--pre", "idna"])) == {
        "requirements": ["rich", "idna"],
        "pre": True,
    }


def test_strings_requirements_and_wheels_are_accepted(tmp_path):
    wheel = make_wheel(tmp_path, "Alpha", "1.0")
    request = parse("NumPy >=2", Requirement("rich[x]"), wheel, f"{wheel}[fast, more]")
    assert request.names == {"numpy", "rich", "alpha"}
    assert request.requirements[2:] == (str(wheel), f"{wheel}[fast, more]")


def test_paths_are_made_absolute_and_urls_stay(project):
    Path("x-1.tar.gz").touch()
    sdist = str(Path("x-1.tar.gz").absolute())
    given = ("./proj", "proj/", Path("proj"), "./proj[a]", "x-1.tar.gz", "x-1.tar.gz[b]")
    assert parse(*given).requirements == (str(project),) * 3 + (f"{project}[a]", sdist, f"{sdist}[b]")
    urls = ("https://h/a_b-1-py3-none-any.whl", "git+https://h/x.git@main#egg=Y", "git+file:///x", "Z @ file:///z.zip")
    request = parse(*urls)
    assert request.requirements == urls and request.names == {"a-b", "y", "z"}


@pytest.mark.parametrize("drive", ["C:\\w\\", "c:/w/", "Z:"])
def test_a_path_with_a_drive_is_not_a_url(drive):
    """On every system: a scheme of one letter does not exist, and where there are no drives, there is no such file."""
    name = "x-1-py3-none-any.whl"
    for given in (f"{drive}{name}", f"{drive}{name}[a]", f'{drive}{name} ; python_version > "3"'):
        refused("there is no wheel at", given)
    refused("there is no archive at", f"{drive}x.tar.gz")
    refused("there is no project at", editable=f"{drive}x")
    refused("there is no project at", editable=f"{drive}x[a]")
    for option in ("requirement_files", "constraints"):
        refused("there is no (requirements|constraints) file", "x", **{option: f"{drive}x.txt"})
    assert parse("x", find_links=f"{drive}wheels").find_links == (f"{drive}wheels",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-f C:\\a\\b x", ["-f", "C:\\a\\b", "x"]),
        ('"C:\\Program Files\\x.whl" --pre', ["C:\\Program Files\\x.whl", "--pre"]),
        ("-r '\\\\server\\share\\r.txt' #x", ["-r", "\\\\server\\share\\r.txt", "#x"]),
    ],
)
def test_a_backslash_of_windows_is_part_of_a_path(monkeypatch, line, words):
    monkeypatch.setattr(command_line, "os", SimpleNamespace(name="nt"))
    assert command_line.split_words(line) == words


def test_the_directory_itself_is_a_project(project, monkeypatch):
    monkeypatch.chdir(project)
    assert parse(".").requirements == (str(project),)
    assert parse(".[x]").requirements == (f"{project}[x]",)
    assert parse(editable=".[x]").editables == (f"{project}[x]",)


def test_a_repository_can_be_editable_in_both_spellings():
    for text in ("git+https://h/x.git@v1#egg=Some.Name[e]", "Some.Name[e] @ git+https://h/x.git@v1"):
        request = parse(editable=text)
        assert request.editables == ("git+https://h/x.git@v1#egg=Some.Name[e]",) and request.names == {"some-name"}
    assert parse(editable="a @ git+file:///x#subdirectory=y").editables == ("git+file:///x#egg=a&subdirectory=y",)


@pytest.mark.parametrize(
    "text",
    [
        'rich; python_version < "3"',
        './proj ; python_version < "3"',
        'https://h/x-1-py3-none-any.whl ; python_version < "3"',
        'x @ https://h/x.zip ; python_version < "3"',
    ],
)
def test_a_marker_that_does_not_apply_is_dropped(text, project):
    assert parse(text).requirements == ()
    assert len(parse(text.replace("<", ">")).requirements) == 1


def test_a_single_text_is_a_list_of_one(project):
    Path("reqs.txt").touch()
    request = parse(
        "x",
        extra_index_urls="https://i",
        find_links=Path("links"),
        requirement_files=Path("reqs.txt"),
        constraints="y<2",
        config_settings="a=b=c",
        no_binary="A_b,:none:",
        pip_arguments="--retries=1",
    )
    assert (request.extra_index_urls, request.find_links, request.constraints) == (("https://i",), ("links",), ("y<2",))
    assert request.config_settings == (("a", "b=c"),) and request.no_binary == ("a-b", ":none:")
    assert request.engine_arguments == ("--retries=1",)
    assert request.asked == ("x", f"-r {Path('reqs.txt').absolute()}")


def test_config_settings_may_have_several_values():
    settings = {"--global-option": ["a", "b"], "c": "d"}
    assert parse("x", config_settings=settings).config_settings == (
        ("--global-option", "a"),
        ("--global-option", "b"),
        ("c", "d"),
    )


def test_constraint_files_are_made_absolute(project):
    Path("limits.txt").touch()
    assert parse("x", constraints=["limits.txt", "file:///c.txt", "numpy<2"]).constraints == (
        str(Path("limits.txt").absolute()),
        "file:///c.txt",
        "numpy<2",
    )


def test_a_request_without_options_has_the_defaults():
    assert parse("rich") == Request(("rich",), frozenset({"rich"}))


_URL = "https://example.org/simple"


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        ((), {}, "no requirement was given"),
        (("numpy>>2",), {}, "is not a requirement"),
        (("",), {}, "is not a requirement"),
        (("-e .",), {}, "is not a project"),
        (("nothing.whl",), {}, "there is no wheel"),
        (("nothing-1.tar.gz",), {}, "there is no archive"),
        (("./nothing",), {}, "there is no project"),
        (("./empty",), {}, "is not a project"),
        (("./proj; nonsense",), {}, "marker"),
        (("bad.whl",), {}, "is not a wheel's name"),
        (("https://h/bad.whl",), {}, "is not a wheel's name"),
        (("ftp://h/x.zip",), {}, "cannot be installed from"),
        (("x @ ftp://h/x.zip",), {}, "cannot be installed from"),
        (("rich",), {"when": "later"}, "when='later'"),
        (("rich",), {"timeout": 0}, "timeout=0"),
        (("rich",), {"timeout": True}, "timeout=True"),
        (("rich",), {"timeout": float("nan")}, "timeout=nan"),
        (("rich",), {"upgrade": "yes"}, "is neither True nor False"),
        (("rich",), {"constraints": 5}, "constraints=5"),
        (("rich",), {"constraints": b"x"}, "must be a list"),
        (("rich",), {"find_links": [1]}, "must be a list of strings"),
        (("rich",), {"index_url": 5}, "must be a string or a path"),
        (("rich",), {"index_url": ""}, "index_url='' must be one line"),
        (("rich",), {"extra_index_urls": ["a\nb"]}, "must be one line"),
        (("rich",), {"target": "x"}, "no option 'target'"),
        (("rich",), {"no_index": True, "index_url": _URL}, "contradict"),
        (("rich",), {"no_index": True, "extra_index_urls": [_URL]}, "contradict"),
        (("rich",), {"only_binary": ["Rich"], "no_binary": "idna,rich"}, "both name rich"),
        (("rich",), {"only_binary": ":all:", "no_binary": ":all:"}, "both name :all:"),
        (("rich",), {"only_binary": "a/b"}, "not a project name"),
        (("rich",), {"upgrade_strategy": "eager"}, "without upgrade="),
        (("rich",), {"upgrade": True, "upgrade_strategy": "later"}, "upgrade_strategy='later' is not a valid value"),
        (("rich",), {"upgrade": True, "upgrade_strategy": "eager", "deps": False}, "contradict"),
        (("rich",), {"extras": "x"}, "without pylock="),
        (("rich",), {"require_hashes": True}, "has no hash"),
        (("rich @ https://h/x.zip",), {"require_hashes": True}, "has no hash"),
        (("rich @ git+https://h/x",), {"require_hashes": True}, "version control"),
        ((), {"require_hashes": True, "editable": "proj"}, "contradict"),
        ((), {"require_hashes": True, "groups": "dev"}, "contradict"),
        ((), {"require_hashes": True, "script": "s.py"}, "contradict"),
        (("rich",), {"pylock": "pylock.toml"}, "contradict"),
        ((), {"pylock": "pylock.toml", "constraints": "x<1"}, "contradict"),
        ((), {"pylock": "pylock.toml", "upgrade": True}, "contradict"),
        ((), {"pylock": "nothing.toml"}, "there is no lock file"),
        ((), {"editable": "nothing"}, "there is no project"),
        ((), {"editable": "empty"}, "is not a project"),
        ((), {"editable": "a-1-py3-none-any.whl"}, "cannot be editable"),
        ((), {"editable": "https://h/x.zip"}, "cannot be editable"),
        ((), {"editable": "git+https://h/x"}, "has no name"),
        ((), {"requirement_files": "nothing.txt"}, "there is no requirements file"),
        ((), {"requirement_files": ["pylock.toml", "pylock.dev.toml"]}, "only one lock file"),
        ((), {"requirement_files": "pylock.toml", "upgrade": True}, "contradict"),
        (("rich",), {"constraints": "nothing.txt"}, "there is no constraints file"),
        (("rich",), {"constraints": "not>>valid"}, "neither a constraints file"),
        (("rich",), {"constraints": "rich[x]<2"}, "no extras"),
        ((), {"groups": "dev"}, "there is no project file"),
        ((), {"groups": "proj/pyproject.toml:dev"}, "no .dependency-groups"),
        ((), {"groups": "proj/setup.cfg:dev"}, "is not NAME or PATH"),
        ((), {"script": "plain.py"}, "has no block"),
        (("rich",), {"config_settings": {"a": 1}}, "config_settings"),
        (("rich",), {"config_settings": "a"}, "not KEY=VALUE"),
        (("rich",), {"config_settings": 5}, "must be a dictionary"),
        (("rich",), {"pip_arguments": ["idna"]}, "not an option"),
        (("rich",), {"pip_arguments": ["--trusted-host"]}, "has no value"),
        (("rich",), {"pip_arguments": ["-t", "x"]}, "long form"),
        (("rich",), {"pip_arguments": ["--"]}, "long form"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(project, arguments, options, match):
    Path("empty").mkdir()
    for name in ("bad.whl", "pylock.toml", "plain.py", "a-1-py3-none-any.whl"):
        Path(name).touch()
    refused(match, *arguments, **options)


@pytest.mark.parametrize(
    "argument",
    [
        *("--target=x", "--targ=x", "--prefix", "--pref=x", "--root=/", "--report=x", "--dry-run", "--requirement=x"),
        *("--user", "--no-user", "--python=x", "--platform=any", "--ignore-installed", "--upgrade", "--index-url=x"),
    ],
)
def test_what_would_change_where_or_what_is_refused_by_name(argument):
    assert argument.partition("=")[0] in refused("pip_arguments", "rich", pip_arguments=[argument])


@pytest.mark.parametrize("spelling", [*PASSED, *PASSED_FLAGS])
def test_what_is_typed_for_pip_may_also_be_given_as_arguments(spelling):
    given = [spelling, "x"] if spelling in PASSED else [spelling]
    assert parse("rich", pip_arguments=given).engine_arguments == tuple(given)
    assert parse(f"pip install rich {' '.join(given)}").engine_arguments == ("=".join(given),)


def test_a_password_is_not_shown_in_a_refusal():
    for text in ("ftp://me:hunter2@h/x.zip", "x @ ftp://me:hunter2@h/x.zip"):
        assert "hunter2" not in refused("installed from", text)
    assert "hunter2" not in refused("has no hash", "x @ https://me:hunter2@h/x.zip", require_hashes=True)


@pytest.mark.parametrize(
    ("requirements", "options"),
    [
        (["alpha"], {"index_url": "https://u:12a/XXX@h/simple"}),
        (["alpha"], {"extra_index_urls": ["https://open/simple", "https://u:a/XXX@h/simple"]}),
        (["alpha @ git+https://u:a/XXX@h/r"], {}),
        (["pip install -i https://u:a/XXX@h/simple alpha"], {}),
    ],
)
def test_a_password_with_a_slash_is_refused_because_programs_parse_it_as_a_path(requirements, options):
    with pytest.raises(RequirementError, match="has a slash") as told:
        parse_request(tuple(requirements), **options)
    parse_request(("alpha @ git+ssh://git@h:8/o/r@v1", "https://h:8080/x-1-py3-none-any.whl?a=b@c"))
    assert "%2F" in told.value.todo and "XXX" not in str(told.value) + str(vars(told.value))


@pytest.mark.parametrize("text", ["alpha @@ https://u:aXXX@h/x.whl", "alpha; https://u:aXXX@h", "ht:/u:aXXX@h/x.whl"])
def test_a_traceback_of_what_was_not_understood_shows_no_password(text):
    import traceback

    with pytest.raises(RequirementError) as told:
        parse_request((text,))
    assert "XXX" not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("given", [None, 0, 1.5, b"rich", {"rich": "1"}, object(), ["rich", None]])
def test_a_value_that_is_not_a_requirement_is_not_used_as_a_project_name(given):
    refused("is not a requirement", given)


@pytest.mark.parametrize(
    "given", [["rich", "idna"], ("rich", "idna"), [["rich"], "idna"], "rich\nidna", "rich # a\n\n#b\nidna\n"]
)
def test_lists_and_lines_are_several_requirements(given):
    assert parse(given).requirements == ("rich", "idna")


def test_each_line_may_be_a_command_or_options():
    assert parse("pip install idna\npip install -U six").names == {"idna", "six"}
    assert parse("pip install \\\n  idna six").names == {"idna", "six"}
    assert parse("--upgrade rich").upgrade
    assert parse(["--upgrade", "rich"]).upgrade


def test_the_options_of_a_text_may_name_a_file(project):
    (project.parent / "reqs.txt").write_text("rich\n")
    assert parse(f"-r {project.parent / 'reqs.txt'}").files
    assert parse("-r", str(project.parent / "reqs.txt")).files


def test_several_words_are_refused_with_the_call_that_was_meant():
    assert 'install("rich", "idna")' in refused("not a single requirement", "rich idna")
    assert 'install("rich==14.0")' in refused("not a single requirement", "rich 14.0")
    assert 'install("rich", "idna")' in refused("not a single requirement", "pip install 'rich idna'")


def test_an_option_may_be_followed_by_a_path(project):
    file = project.parent / "reqs.txt"
    file.write_text("rich\n")
    assert parse("-r", file).files == (str(file),)
    assert parse("-U", project).requirements == (str(project),)


def test_another_command_is_refused_with_the_call_that_was_meant():
    assert "uninstall(...)" in refused("is another command", "pip uninstall rich")
    assert "freeze()" in refused("is another command", "pip install rich\npip freeze")


def test_removals_are_read_from_lists_lines_and_commands():
    assert removals(["a", ["b"], "c\nd"]) == (["a", "b", "c", "d"], [])
    assert removals(["pip uninstall -y a b\npython -m pip uninstall -r x.txt"]) == (["a", "b"], ["x.txt"])
    assert removals(["-y", "a", "-r", Path("x.txt")]) == (["a"], ["x.txt"])
    for given, match in (
        ("a b", r'uninstall\("a", "b"\)'),
        ("pip install a", r"install\(...\)"),
        ("pip uninstall --target x a", "--target"),
        (None, "is not a requirement"),
        ([0], "is not a requirement"),
    ):
        with pytest.raises(RequirementError, match=match):
            removals([given])


def test_a_requirements_file_names_what_is_to_be_removed(tmp_path):
    (tmp_path / "more.txt").write_text("-r main.txt\nidna\n")
    (tmp_path / "main.txt").write_text(
        "# comment\n-i https://h/simple\n--no-index\nRich[x]>=1 # why\nattrs==1 \\\n  --hash=sha256:00\n-r more.txt\n"
        "six ; python_version < '3'\n-e git+https://h/x#egg=x\nzed @ https://h/z.zip\nhttps://h/w-1-py3-none-any.whl\n./p\n"
    )
    found = read_names(str(tmp_path / "main.txt"))
    assert found == ("Rich", "attrs", "idna", "six", "x", "zed", "w")
    with pytest.raises(RequirementError, match="there is no requirements file"):
        read_names(str(tmp_path / "nothing.txt"))


@pytest.mark.parametrize(
    ("typed", "only", "no"),
    [
        ("--no-binary :all: --only-binary a,b", ("a", "b"), (":all:",)),
        ("--only-binary a --no-binary=:all:", (":none:",), (":all:",)),
        ("--only-binary=A --no-binary a", (), ("a",)),
        ("--no-binary a --only-binary a --no-binary b", ("a",), ("b",)),
        ("--no-binary :none: --no-binary a", (), (":none:", "a")),
        ("--no-binary a --no-binary :none:", (), (":none:",)),
    ],
)
def test_the_order_of_binary_options_counts_as_for_pip(typed, only, no):
    request = parse(f"pip install x {typed}")
    assert (request.only_binary, request.no_binary) == (only, no)


def test_a_traceback_with_local_variables_shows_no_password_of_a_request():
    request = parse("alpha", index_url="https://u:XXX@h/simple")
    assert "XXX" not in repr(request) + repr(request.sources) and "https://****@h/simple" in repr(request)
    assert request.index_url == "https://u:XXX@h/simple"
