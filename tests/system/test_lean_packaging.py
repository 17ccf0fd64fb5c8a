"""What is evaluated without `packaging` has the result that `packaging` has."""

import platform
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from liveinstall._system import lean_packaging as lean

releases = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))
versions = st.one_of(
    releases, releases, st.builds("{}{}".format, releases, st.sampled_from(["rc1", ".post1", ".post0", "+cpu"]))
)
signs = st.sampled_from([">=", "<=", "==", "!=", "<", ">", "~=", "==="])
clauses = st.builds("{}{}{}{}".format, signs, st.sampled_from(["", " "]), versions, st.sampled_from(["", "", "", ".*"]))
specifiers = st.lists(clauses, max_size=3).map(", ".join)
comparisons = st.one_of(
    st.builds('extra == "{}"'.format, st.sampled_from(["socks", "A_b", "a-b"])),
    st.builds("python_version {} '{}'".format, signs, st.sampled_from(["3", "3.11", "3.12.0", "3.9", "4"])),
    st.builds('sys_platform {} "{}"'.format, signs, st.sampled_from(["linux", "win32", sys.platform])),
    st.builds('platform_system {} "{}"'.format, signs, st.sampled_from(["Linux", "Windows"])),
    st.builds('platform_machine {} "{}"'.format, signs, st.sampled_from(["x86_64", "arm64", platform.machine()])),
    st.builds('implementation_name {} "{}"'.format, signs, st.sampled_from(["cpython", "pypy"])),
    st.builds("platform_python_implementation {} '{}'".format, signs, st.sampled_from(["CPython", "PyPy", "cpython"])),
    st.builds('python_full_version {} "{}"'.format, signs, releases),
)
markers = st.recursive(
    comparisons,
    lambda inner: st.builds(
        "{}{}{}{}{}".format,
        *(st.sampled_from(["", "", "("]), inner, st.sampled_from([" and ", " or ", ") and (", " and(", "and "])),
        *(inner, st.sampled_from(["", "", ")"])),
    ),
    max_leaves=5,
)
lines = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["a", "A.b_c", "x1", "-a", "a b", "a\n"]),
    st.sampled_from(["", "", "[socks]", "[ A_b , c ]", "[]", "[,]"]),
    st.builds("{0[0]}{1}{0[1]}".format, st.sampled_from(["  ", "()", " ,"]), specifiers),
    st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from(["; ", ";", "; or "]), markers)),
)


def outcome(call):
    try:
        return call()
    except ValueError:
        return ValueError


@given(lines, versions, st.sampled_from(["", "socks", "a.b"]))
def test_a_requirement_means_what_it_means_to_packaging(line, version, extra):
    def meaning(parse):
        parsed = parse(line)
        applies = parsed.marker is None or parsed.marker.evaluate({"extra": extra})
        is_allowed = parsed.specifier.contains(version, prereleases=True)
        return parsed.name, set(parsed.extras), is_allowed, bool(parsed.specifier), applies, parsed.url

    mine = outcome(lambda: meaning(lean.parse_requirement_line))
    assert mine == outcome(lambda: meaning(Requirement))


@given(specifiers)
def test_the_text_of_the_specifiers_means_the_same(text):
    mine = outcome(lambda: SpecifierSet(str(lean.parse_requirement_line(f"a{text}").specifier)))
    assert mine == outcome(lambda: SpecifierSet(text))


@given(versions, versions)
def test_versions_are_ordered_as_by_packaging(first, second):
    one, other = Version(first), Version(second)
    assert lean.compare_versions(first, second) == (one > other) - (one < other)


@given(versions)
def test_pre_releases_are_those_of_packaging(text):
    assert lean.is_prerelease(text) is Version(text).is_prerelease


@given(specifiers, versions)
def test_specifiers_alone_mean_what_they_mean_to_packaging(text, version):
    mine = outcome(lambda: lean.parse_specifiers(text).contains(version, prereleases=True))
    assert mine == outcome(lambda: SpecifierSet(text).contains(version, prereleases=True))


@pytest.mark.parametrize(
    "name",
    [
        "a-1.0-py3-none-any.whl",
        "A_b.C-1.0rc1-py2.py3-none-any.whl",
        "a-1-2-py3-none-any.whl",
        "a-1-cp311-abi3-x_1.whl",
        "a-1.whl",
        "a--1-py3-none-any.whl",
        "a__b-1-py3-none-any.whl",
        "a-b-py3-none-any.whl",
        "a-2018.08.13-py3-none-any.whl",
        "a-0.10-py3-none-any.whl",
        "a-1-py3-none-any.zip",
        "a-2026.10.19.post1-py3-none-any.whl",
        "a-1.post01-py3-none-any.whl",
    ],
)
def test_the_name_of_a_wheel_is_read_as_by_packaging(name):
    expected = outcome(lambda: tuple(map(str, parse_wheel_filename(name)[:2])))
    assert outcome(lambda: lean.name_and_version(name)) == expected


@pytest.mark.parametrize("name", ["A.b__C-d", "x", "Zope.Interface"])
def test_names_are_normalized_as_by_packaging(name):
    assert lean.canonicalize_name(name) == canonicalize_name(name)


@pytest.mark.parametrize(
    ("text", "valid"), [("1.0", True), ("2026.10.19.post1", True), ("1.0-x-y", False), ("", False)]
)
def test_whether_a_text_is_a_version(text, valid):
    assert lean.is_version(text) is valid


def test_a_value_of_packaging_is_recognized():
    assert lean.is_requirement(Requirement("a"))
    assert not lean.is_requirement("a")


SIMPLE = ("a", "requests[socks] >=2.0,<3", "b (==1.2.*)", 'c~=1.4; extra == "dev" and python_version < "3.11"')


def test_simple_requirements_do_not_load_packaging():
    code = (
        "import sys; before = set(sys.modules)\n"
        "from liveinstall._system.lean_packaging import *\n"
        "from liveinstall._system import lean_packaging as lean\n"
        f"for line in {SIMPLE!r}: lean.parse_requirement_line(line).specifier.contains('1.2.3')\n"
        "print([name for name in set(sys.modules) - before if name.startswith('packaging')])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
