"""The shape of the `--json` output of each command: its keys and types, and the exit status.

    PYTHONPATH=<tree>/src:<tree>/tests python tests/helpers/json_shapes.py ENVIRONMENTS MAIN > json_shapes.json

ENVIRONMENTS is the module with `make_environment()`, MAIN the one with the command line's `main()`. This file runs with
any version.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

# In this order, in one environment; {root} is its directory. Commands that end with # run while changes are pending.
COMMANDS = (
    ("plan", "alpha==1.0"),
    ("install", "alpha==1.0"),
    ("install", "beta", "--dry-run"),
    ("install", "nothing"),
    ("install", "not>>valid"),
    ("instal",),
    ("ensure", "alpha", "--requester", "app/plot"),
    ("install", "alpha==2.0", "--when", "restart"),
    ("list", "#"),
    ("pending", "#"),
    ("status", "#"),
    ("plan", "gamma", "#"),
    ("try", "python", "-c", "print(1)", "#"),
    ("finalize", "#"),
    ("versions", "alpha", "#"),
    ("cancel", "#"),
    ("cancel", "alpha"),
    ("install", "beta"),
    ("uninstall", "beta"),
    ("history",),
    ("undo",),
    ("undo", "nothing"),
    ("check",),
    ("doctor",),
    ("repair",),
    ("freeze",),
    ("guard", "on"),
    ("guard", "off"),
    ("finalize",),
    ("install", "--parallel", "alpha==2.0"),
    ("store", "list"),
    ("registry", "create", "env1", "alpha==2.0"),
    ("registry", "list"),
    ("registry", "check", "env1"),
    ("registry", "enable"),
    ("status",),
    ("registry", "disable"),
    ("registry", "remove", "env1"),
    ("store", "remove", "alpha==2.0"),
    ("home", "create", "{root}/home", "alpha==2.0"),
    ("home", "run", "{root}/home", "-c", "print(1)"),
    ("home", "remove", "{root}/home"),
    ("archive", "create", "{root}/a.archive", "{root}/code"),
    ("archive", "check", "{root}/a.archive"),
    ("prune",),
)
_HOLD = "import alpha; li.hold(); print('up', flush=True); input()"


def record_shapes(env: Any, main: str) -> dict[str, Any]:
    """Run the commands.

    Args:
        env: A fresh environment of the tests.
        main: The module whose `main()` is the command line.

    Returns:
        The shape of each output, with its exit status, by the command's words.
    """
    _prepare(env)
    found, holder = {}, None
    for words in COMMANDS:
        if "restart" in words:  # it is pending as long as this process runs
            holder = env.start(_HOLD)
            assert holder.stdout.readline() == "up\n"
        elif holder and "#" not in words:
            holder.communicate("\n")
            holder = None
        given = [word.format(root=env.root) for word in words if word != "#"]
        code = f"import sys, fake_engine\nfrom {main} import main\nsys.exit(main(sys.argv[1:]))"
        command = [str(env.python), "-c", code, given[0], "--json", *given[1:]]
        done = subprocess.run(
            command, env=env.variables(), capture_output=True, text=True, timeout=100, check=False, cwd=env.root
        )
        assert done.stdout, (words, done.stderr)
        found[" ".join(words)] = {"status": done.returncode, **shape_of(json.loads(done.stdout))}
    return found


def _prepare(env: Any) -> None:
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version)
    env.wheel("beta", "1.0", requires=("alpha<2",))
    env.wheel("gamma", "1.0", requires=("alpha>=2",))
    (env.root / "code").mkdir()
    (env.root / "code" / "module.py").write_text("V = 1\n", encoding="utf-8")
    env.put_liveinstall_in()  # other processes have it in site-packages


def shape_of(value: Any) -> Any:
    """Its keys and types; of a list, those of all items."""
    if isinstance(value, dict):
        return {name: shape_of(item) for name, item in value.items()}
    if isinstance(value, list):
        shapes = [shape_of(item) for item in value]
        if shapes and all(isinstance(shape, dict) for shape in shapes):
            return [{name: item for shape in shapes for name, item in shape.items()}]
        return [shape for number, shape in enumerate(shapes) if shape not in shapes[:number]]
    return "number" if type(value) in (int, float) else type(value).__name__


def main() -> None:
    """Print the shapes as JSON."""
    environments, main_module = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        env = import_module(environments).make_environment(Path(directory) / "env")
        shapes = record_shapes(env, main_module)
    lines = (f"{json.dumps(words)}: {json.dumps(shape, sort_keys=True)}" for words, shape in shapes.items())
    print("{", ",\n".join(lines), "}", sep="\n")


if __name__ == "__main__":
    main()
