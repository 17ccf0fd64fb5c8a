"""Launchers start the function of an entry point with the right interpreter."""

import os
import subprocess
import sys

import pytest
from installer.scripts import Script

from liveinstall._staging.launchers import first_lines, launcher

pytestmark = pytest.mark.skipif(os.name == "nt", reason="on Windows `installer` makes them")


@pytest.mark.parametrize("directory", ["plain", "with space", "x" * 130, "quote's"])
def test_a_launcher_runs_the_function_and_exits_with_its_result(tmp_path, directory):
    place = tmp_path / directory
    place.mkdir()
    (place / "python").symlink_to(sys.executable)
    (tmp_path / "tool.py").write_text("import sys\nclass group:\n    def main(): print(sys.argv[1:]); return 3\n")
    script = tmp_path / "run"
    script.write_bytes(launcher(str(place / "python"), "tool : group.main [extra]"))
    script.chmod(0o755)
    done = subprocess.run(
        [script, "a b", "c"], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert (done.stdout, done.returncode) == ("['a b', 'c']\n", 3), done.stderr


@pytest.mark.parametrize(
    "python", ["/usr/bin/python3", "/a b/python", "/" + "x" * 123, "/" + "x" * 124, "/it's/python"]
)
def test_the_interpreter_is_named_as_by_installer(python):
    content = Script("x", "module", "f", "console").generate(python, "posix")[1]
    assert content.startswith(first_lines(python))
