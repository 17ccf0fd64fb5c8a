from __future__ import annotations

import pytest

from liveinstall._engines.pip.arguments import commands
from liveinstall._requirements.pip_settings import check_place, pip_says
from liveinstall._requirements.request import parse_request
from liveinstall.errors import RequirementError


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    for name in ("USER", "TARGET", "PREFIX", "ROOT", "DRY_RUN"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    return tmp_path / "pip.conf"


@pytest.mark.parametrize("name", ["user", "dry-run"])
def test_a_switch_counts_as_a_variable_and_in_a_file(name, file, monkeypatch):
    assert not pip_says(name)
    file.write_text(f"[install]\n{name} = true\n")
    assert pip_says(name) and not pip_says(name, ("--isolated",))
    monkeypatch.setenv(f"PIP_{name.upper().replace('-', '_')}", "0")
    assert not pip_says(name)
    monkeypatch.setenv(f"PIP_{name.upper().replace('-', '_')}", "perhaps")
    with pytest.raises(RequirementError, match="neither yes nor no"):
        pip_says(name)


@pytest.mark.parametrize("name", ["target", "prefix", "root"])
def test_another_place_is_refused_by_the_name_of_what_says_it(name, file, monkeypatch):
    check_place()
    file.write_text(f"[global]\n{name} = /elsewhere\n")
    with pytest.raises(RequirementError, match=f"{name} in .*pip.conf"):
        check_place()
    file.unlink()
    monkeypatch.setenv(f"PIP_{name.upper()}", "/elsewhere")
    with pytest.raises(RequirementError, match=f"PIP_{name.upper()} is"):
        check_place()


@pytest.mark.parametrize(("every", "one"), [("no_binary", "only_binary"), ("only_binary", "no_binary")])
def test_all_comes_before_the_names_that_are_the_exceptions(every, one):
    request = parse_request(("rich",), **{every: [":all:"], one: ["packaging"]})
    words = commands(request, dict.fromkeys(("report", "wheels", "target", "src", "constraints"), "x"))["resolve"]
    assert words.index(":all:") < words.index("packaging")
