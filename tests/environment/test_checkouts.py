"""Editable git checkouts as lines of a requirements file, with real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from liveinstall._environment.checkouts import editable_lines
from liveinstall._model import Distribution

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")
AUTHOR = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "source"
    path.mkdir()
    (path / "pyproject.toml").touch()
    return path


def git(path, *arguments):
    variables = {**os.environ, **AUTHOR, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(["git", "-C", path, *arguments], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(path, remote=""):
    git(path, "init", "-q")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "x")
    if remote:
        git(path, "remote", "add", "origin", remote)
    return git(path, "rev-parse", "HEAD")


def lines(path, tmp_path):
    info = tmp_path / "my_project-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: My-Project\nVersion: 1.0\n")
    return editable_lines(Distribution("my-project", "1.0", str(info), project=str(path)))


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://example.org/p.git", "git+https://example.org/p.git"),
        ("git@example.org:team/p.git", "git+ssh://git@example.org/team/p.git"),
        ("https://user:secret@example.org/p.git", "git+https://****@example.org/p.git"),
    ],
)
def test_a_checkout_is_its_remote_at_its_commit(project, tmp_path, remote, url):
    commit = repository(project, remote)
    assert lines(project, tmp_path) == (f"-e {url}@{commit}#egg=My_Project",)


def test_a_project_below_the_top_has_its_subdirectory(project, tmp_path):
    below = project / "packages" / "one"
    below.mkdir(parents=True)
    (below / "setup.py").touch()
    commit = repository(project, "https://example.org/p.git")
    found = lines(below, tmp_path)
    assert found == (f"-e git+https://example.org/p.git@{commit}#egg=My_Project&subdirectory=packages/one",)


def test_comments_explain_a_missing_url(project, tmp_path, monkeypatch):
    plain, label = f"-e {project}", "(My-Project==1.0)"
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert lines(project, tmp_path) == (f"# Editable install with no version control {label}", plain)
    repository(project)
    assert lines(project, tmp_path) == (f"# Editable Git install with no remote {label}", plain)
    git(project, "remote", "add", "origin", "/no/such/remote")
    assert lines(project, tmp_path) == (
        f"# Editable Git install {label} with either a deleted local remote or invalid URI:",
        "# '/no/such/remote'",
        plain,
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lines(project, tmp_path) == (plain,)
