"""A request that would break installed distributions: it is refused, needs consent, or is executed and reported."""

from __future__ import annotations

import pytest
from helpers.conflicts import BACKTRACKS

_BREAKS = "beta 1.0 requires alpha<2, but alpha will be 2.0"
# A front end with a user who answers each question with the next of `answers`.
_ASKED = (
    BACKTRACKS
    + """
import builtins, io
from liveinstall._frontends import question
question.is_attended = question._has_terminal = lambda: True
asked, answers = [], []
def answer(text):
    asked.append(text)
    return answers.pop(0)
builtins.input = answer
sys.stderr = io.StringIO()
def tried(*requirements, **options):
    try:
        done = li.install(*requirements, **options)
    except li.LiveInstallError as error:
        return [type(error).__name__, str(error)]
    return [str(change) for change in (*done.installed, *done.staged)]
"""
)


@pytest.fixture
def conflicting(conflicting):
    """The same, and a beta that fits alpha 2.0 is available."""
    conflicting.wheel("beta", "2.0", requires=("alpha>=2",))
    return conflicting


@pytest.mark.parametrize("loaded", ["", "import alpha, beta\n"])
def test_a_refusal_names_what_would_break_and_what_fits_and_changes_nothing(conflicting, loaded):
    kind, text = conflicting.json(f"{_ASKED}{loaded}print(json.dumps(tried('alpha>=2', conflicts='refuse')))")
    assert kind == "ConflictError"
    assert text == (
        f"the request would break installed distributions: {_BREAKS}. Nothing was changed. "
        'To install versions that fit: liveinstall.install("alpha>=2", "beta"). To install it anyway: '
        'liveinstall.install(..., conflicts="allow").'
    )
    assert conflicting.versions() == {"alpha": "1.0", "beta": "1.0"}
    assert conflicting.leftovers() == []


def test_scripts_continue_like_pip_with_the_conflicts_in_the_result(conflicting):
    done = conflicting.json("r = li.install('alpha>=2'); print(json.dumps([r.conflicts, len(r.staged)]))")
    assert done == [[_BREAKS], 1]


@pytest.mark.parametrize(
    ("answer", "versions"),
    [
        ("f", {"alpha": "2.0", "beta": "2.0"}),
        ("a", {"alpha": "2.0", "beta": "1.0"}),
        ("", {"alpha": "1.0", "beta": "1.0"}),
    ],
)
def test_a_person_is_asked_once_and_chooses_what_fits_all_the_same_or_nothing(conflicting, answer, versions):
    asked, result, kinds, above = conflicting.json(
        f"{_ASKED}answers.append({answer!r})\nkinds = []\n"
        "result = tried('alpha>=2', on_event=lambda event: kinds.append(type(event).__name__))\n"
        "print(json.dumps([asked, result, kinds, sys.stderr.getvalue()]))"
    )
    question = "Install versions that fit: alpha>=2, beta (f), install anyway (a), or nothing (n)? [f/a/N] "
    assert asked == [question] and above.splitlines()[0] == f"Conflict: {_BREAKS}."
    conflicting.bare("")  # a change that breaks a requirement is pending until the next start
    assert conflicting.versions() == versions
    assert kinds.count("Failed") == (not answer) and kinds[-1] == ("Done" if answer else "Failed")
    assert (result[0] == "ConflictError") == (not answer)


def test_others_can_change_the_environment_while_the_question_waits(conflicting):
    conflicting.wheel("gamma", "1.0")
    code = _ASKED + (
        "before = builtins.input\n"
        "def meanwhile(text):\n"
        "    import subprocess\n"
        "    code = 'import liveinstall as li, fake_engine; li.install(\"gamma\", timeout=5)'\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n"
        "    return 'a'\n"
        "builtins.input = meanwhile\n"
        "print(json.dumps(tried('alpha>=2')))"
    )
    assert conflicting.json(code) == ["alpha 1.0 -> 2.0"]
    conflicting.bare("")
    assert conflicting.versions() == {"alpha": "2.0", "beta": "1.0", "gamma": "1.0"}


def test_without_a_user_asking_is_a_refusal(conflicting):
    kind, _ = conflicting.json(_ASKED + "question._has_terminal = lambda: False\nprint(json.dumps(tried('alpha>=2')))")
    assert kind == "ConflictError"
    code = "import threading\nresult = []\nthread = threading.Thread(target=lambda: result.extend(tried('alpha>=2')))\n"
    kind, _ = conflicting.json(f"{_ASKED}{code}thread.start(); thread.join()\nprint(json.dumps(result))")
    assert kind == "ConflictError"


def test_what_the_request_itself_names_may_conflict_and_a_plan_only_shows_it(conflicting):
    assert conflicting.json(_ASKED + "print(json.dumps(li.plan('alpha>=2').conflicts))") == [_BREAKS]
    assert conflicting.json(_ASKED + "print(json.dumps(li.install('alpha>=2', dry_run=True).conflicts))") == [_BREAKS]
    code = "print(json.dumps(tried('alpha==2.0', 'beta==1.0', deps=False, reinstall=True, conflicts='refuse')))"
    assert sorted(conflicting.json(_ASKED + code)) == ["alpha 1.0 -> 2.0", "beta 1.0 -> 1.0"]


def test_the_default_is_a_setting_and_other_values_are_refused(conflicting):
    code = _ASKED + "os.environ['LIVEINSTALL_CONFLICTS'] = {!r}\nprint(json.dumps(tried('alpha>=2')))"
    assert conflicting.json(code.format("refuse"))[0] == "ConflictError"
    kind, text = conflicting.json(code.format("perhaps"))
    assert (
        kind == "RequirementError"
        and "LIVEINSTALL_CONFLICTS='perhaps' is not a valid value" in text
        and text.endswith("Use ask, refuse or allow.")
    )
    kind, text = conflicting.json(_ASKED + "print(json.dumps(tried('alpha>=2', conflicts=True)))")
    assert kind == "RequirementError" and "conflicts=True is not a valid value." in text
    assert conflicting.json(code.format("Allow")) == ["alpha 1.0 -> 2.0"]


def test_the_command_line_has_the_option_and_names_commands(conflicting):
    conflicting.put_liveinstall_in()
    done = conflicting.run(
        f"{BACKTRACKS}from liveinstall._frontends.cli.main import main\n"
        "sys.exit(main(['install', 'alpha>=2', '--conflicts', 'refuse']))",
    )
    assert done.returncode == 1
    assert "install 'alpha>=2' beta`" in done.stderr and "install --conflicts allow ...`" in done.stderr
