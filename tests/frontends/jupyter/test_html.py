"""The HTML for notebooks: well-formed, escaped, and understandable without styles, as in untrusted notebooks."""

from __future__ import annotations

import pickle
import re
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

import liveinstall
from liveinstall import reports
from liveinstall._frontends import rendering
from liveinstall._frontends.jupyter import html
from liveinstall.reports import Check, Finding, Listed, Past, Stale, Status
from liveinstall.results import AllPending, Cancelled, Change, Holder, Origin, Pending, Plan, Result, Target, Timing

EVIL = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>&"
assert liveinstall.install  # a public name was used, so values have their display methods


def values(word="numpy", reason="numpy is imported here"):
    """One of each kind, with `word` wherever external text may occur."""
    up = Change(word, "1.26.4", "2.2.6", Timing.RESTART, reason)
    new, gone = Change("rich", None, word, Timing.NOW, reason), Change("six", "1.16", None, reason=reason)
    pending = Pending(word, (up, gone), 1e9, 7, word, (word,), "pending", reason)
    failed = Pending(word, (up,), 0.0, 7, word, (word,), "failed", reason)
    holder = Holder(4711, word, 1e9, uses=(word,), distributions=(word,), sees=(word,))
    past = Past(word, (new,), 1e9, 7, word, (word,), {"rich": Origin(word)})
    finding = Finding("broken", word, word, reason, reason)
    target = Target(*[word] * 7)
    status = Status(target, AllPending([pending, failed]), (holder,), 9, (word,), guarded=True)
    listed = Listed(word, "1.26.4", word, "2.2.6", word)
    return [
        Plan((up, new, gone), (new,), (word,), (word,)),
        Result((new,), (up,), (gone,), (new,), word, (word,), (word,)),
        Result((new,), (up,), dry_run=True),
        *(pending, failed, past, status, finding, listed, Check((word,), (finding,), (Stale(word, word, word),))),
        AllPending([pending, failed]),
        *(Cancelled([up, gone]), reports.Requirements([word, word])),
        *(reports.History([past]), reports.Findings([finding]), reports.Listing([listed])),
    ]


EMPTY = [
    Cancelled(),
    reports.Requirements(),
    Plan(),
    Result(),
    Check(),
    AllPending(),
    reports.History(),
    reports.Findings(),
    reports.Listing(),
]


class Page(HTMLParser):
    """Fails on wrong nesting; collects `tags`, `styles` and `words`."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.styles, self.words = [], set(), [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style"}
        self.styles += [value for _, value in attrs]
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("value", [*values(), *EMPTY], ids=lambda value: type(value).__name__)
def test_every_value_shows_itself_in_text_and_in_plain_html(value):
    shown = value._repr_mimebundle_(include=None, exclude=None)
    assert list(shown) == ["text/plain", "text/html"] and shown["text/plain"] == str(value) == repr(value)
    page = Page(shown["text/html"])
    assert page.tags <= {"div", "b", "code"}
    for colour in re.findall(r"var\((.*?)\)", " ".join(page.styles)):
        assert re.fullmatch(r"--jp-[a-z0-9-]+, #[0-9a-f]{6}", colour)


@pytest.mark.parametrize("value", values(EVIL, EVIL), ids=lambda value: type(value).__name__)
def test_hostile_names_and_reasons_stay_text(value):
    page = Page(html.bundle(value)["text/html"])
    assert not page.tags & {"script", "img"} and EVIL in page.words


def test_a_result_shows_installed_and_pending_changes_the_reasons_and_the_next_step():
    words = Page(html.render(values()[1])).words
    for text in (
        "Installed, ready to import",
        "1.26.4 \N{RIGHTWARDS ARROW} 2.2.6",
        "numpy is imported here",
        "Removed",
    ):
        assert text in words
    assert "Staged for the next start of Python" in words and 'liveinstall.cancel("numpy")' in words
    assert "start the program again" in words


def test_a_long_list_scrolls_and_lacks_nothing():
    listing = reports.Listing(Listed(f"project-{number}", "1.0") for number in range(300))
    page = Page(html.render(listing))
    assert any("max-height" in style and "overflow: auto" in style for style in page.styles)
    assert all(f"project-{number}" in page.words for number in range(300))


def test_a_history_is_a_line_for_each_transaction_with_the_call_that_undoes_it():
    past = Past("id-1", (Change("rich", None, "15.0"),), 1e9, 7, "python", ("rich",), {})
    over = Past("id-2", (Change("six", "1", "2"),), 1e9, 7, "python", ("six",), {}, "six was changed.")
    words = Page(html.render(reports.History([past, over]))).words
    assert 'rich 15.0 (can be undone: liveinstall.undo("id-1"))' in words
    assert "six 1 -> 2 (cannot be undone: six was changed)" in words


def test_a_card_begins_with_its_conflicts_in_red_and_what_avoids_them():
    shown = html.render(Result(staged=values()[1].staged, conflicts=("b needs a<2",), remedy=("a>=2", "b")))
    page = Page(shown)
    assert page.words.startswith('Conflict: b needs a<2.To install versions that fit: liveinstall.install("a>=2", "b")')
    assert page.words.index("Conflict") < page.words.index("start the program again")
    assert "--jp-error-color1" in page.styles[0] and "--jp-error-color1" in page.styles[1]


def test_the_advice_of_a_card_is_the_servers_if_that_uses_what_is_staged(monkeypatch):
    server = lambda names: "restart JupyterLab itself" if "numpy" in set(names) else ""
    monkeypatch.setattr(rendering, "server_advice", server)
    for value in (values()[1], values()[6]):
        words = Page(html.render(value)).words
        assert "restart JupyterLab itself: restarting only" in words and "start the program again" not in words


def test_a_status_names_who_holds_what():
    words = Page(html.render(values("tornado", "used by pid 4711 (jupyter-lab)")[6])).words
    assert "4711" in words and "Waiting for: used by pid 4711 (jupyter-lab)" in words and "Set aside" in words


@pytest.mark.parametrize("nothing", EMPTY, ids=lambda value: type(value).__name__)
def test_an_empty_value_has_a_sentence(nothing):
    assert Page(html.render(nothing)).words == str(nothing) or isinstance(nothing, reports.Listing)


def test_showing_never_raises():
    broken = Result(installed=(None,))  # type: ignore[arg-type]
    assert list(html.bundle(broken)) == ["text/plain"]
    assert "Result object" in html.bundle(broken)["text/plain"]
    strange = Past("id", (), float("nan"), 7, "x", (), {})
    assert html.bundle(strange)["text/plain"]


def test_rows_are_tuples_in_all_else():
    rows = reports.History([1, 2])
    assert rows == (1, 2) and hash(rows) == hash((1, 2)) and (*rows, 3) == (1, 2, 3)
    assert pickle.loads(pickle.dumps(rows)) == rows and type(pickle.loads(pickle.dumps(rows))) is reports.History


def test_the_session_gives_rows_that_show_themselves(env):
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    got = env.json(
        "import alpha\nli.install('alpha', upgrade=True)\n"
        "kinds = [li.pending(), li.history(), li.doctor(), li.list(), li.status().pending]\n"
        "print(json.dumps([[type(k).__name__, isinstance(k, tuple), k._repr_mimebundle_()] for k in kinds]))"
    )
    assert [(name, is_tuple) for name, is_tuple, _ in got] == [
        *(("AllPending", True), ("History", True), ("Findings", True), ("Listing", True), ("AllPending", True))
    ]
    assert "1.0 \N{RIGHTWARDS ARROW} 2.0" in got[0][2]["text/html"] and "waiting for" in got[0][2]["text/plain"]


def test_colab_gets_the_imported_names_so_that_it_shows_its_button(monkeypatch):
    result = Result(staged=(Change("pytest", "8", "9", Timing.RESTART), Change("nothing-here", "1", "2")))
    assert list(html.bundle(result)) == ["text/plain", "text/html"]
    shell = SimpleNamespace(kernel=SimpleNamespace(), parent_header={}, user_ns={})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    told = html.bundle(result)["application/vnd.colab-display-data+json"]
    assert "pytest" in told["pip_warning"]["packages"]
    assert "application/vnd.colab-display-data+json" not in html.bundle(Result())
