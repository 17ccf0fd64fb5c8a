from __future__ import annotations

import pytest
from helpers.in_process_site import Place

from liveinstall._environment.installed import check_metadata, check_replaceable, installed, owner_of, record_of
from liveinstall.errors import DamagedError


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "root")
    place.install(place.candidate("Al.pha", "1.0", requires=("beta>=1",)))
    return place


def alpha(place):
    return installed([str(place.site)])["al-pha"]


def check(place):
    check_replaceable(alpha(place), place.target)


def test_names_are_canonical_and_requirements_are_read(place):
    assert (alpha(place).version, alpha(place).requires) == ("1.0", ("beta>=1",))
    check(place)


def test_a_line_of_spaces_does_not_end_the_metadata(place):
    """A folded field, such as the whole licence in that of pandas."""
    metadata = place.site / "Al.pha-1.0.dist-info" / "METADATA"
    metadata.write_text(
        metadata.read_text().replace("Requires-Dist", "License: BSD\n        \n        text\nRequires-Dist")
    )
    assert alpha(place).requires == ("beta>=1",)


def test_the_first_on_the_path_wins(place, tmp_path):
    other = Place(tmp_path / "other")
    other.install(other.candidate("al-pha", "2.0"))
    assert installed([str(other.site), str(place.site)])["al-pha"].version == "2.0"


def test_a_missing_or_unreadable_directory_is_empty(tmp_path):
    assert installed([str(tmp_path / "nowhere")]) == {}


def test_two_dist_infos_are_refused_by_name(place):
    twin = place.site / "al_pha-0.9.dist-info"
    twin.mkdir()
    (twin / "METADATA").write_text("Name: al-pha\nVersion: 0.9\n")
    with pytest.raises(DamagedError, match="installed twice.*al_pha-0.9.dist-info"):
        check(place)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "al_pha-1.0.dist-info/METADATA,,\n../../../../etc/passwd,,\n",
        "al_pha/__init__.py,sha256=x,1\n",
        '"al_pha,x,1\n',
        "\0\0\0",
    ],
)
def test_a_damaged_record_is_refused(place, text):
    info = next(place.site.glob("*.dist-info"))
    (info / "RECORD").write_text(text)
    with pytest.raises(DamagedError, match="damaged"):
        check(place)


def test_no_record_means_another_tool(place):
    (next(place.site.glob("*.dist-info")) / "RECORD").unlink()
    with pytest.raises(DamagedError, match="conda, Debian"):
        check(place)


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_distutils_or_egg_install_is_refused(tmp_path, kind):
    place = Place(tmp_path / "legacy")
    info = place.site / "old-1.0.egg-info"
    if kind == "directory":
        info.mkdir()
        info = info / "PKG-INFO"
    info.write_text("Metadata-Version: 1.0\nName: old\nVersion: 1.0\n")
    with pytest.raises(DamagedError, match="without a RECORD"):
        check_replaceable(installed([str(place.site)])["old"], place.target)


def test_a_dist_info_without_metadata_is_refused_when_it_is_asked_for(place):
    (next(place.site.glob("*.dist-info")) / "METADATA").unlink()
    check_metadata(["other"], [str(place.site)])
    with pytest.raises(DamagedError, match="no METADATA"):
        check_metadata(["al-pha"], [str(place.site)])


def test_files_have_owners(place):
    here = installed([str(place.site)]).values()
    path = next(iter(record_of(alpha(place))[0]))
    assert owner_of(str(place.site / path), here) == "al-pha"
    assert owner_of(str(place.site / "nobody.py"), here) == ""
