"""A small application with plugins, like napari, 3D Slicer, Blender or Home Assistant, with `liveinstall.hosts`.

A plugin is a file in a directory, with its requirements in `REQUIRES`, and its work in `run()`. The application
reads the former without importing it, asks, installs, and runs the plugin in the same process.

    python examples/plugin_host.py DIRECTORY run NAME ...       # asks before it installs; --yes does not
    python examples/plugin_host.py DIRECTORY list
    python examples/plugin_host.py DIRECTORY remove NAME
"""

from __future__ import annotations

import argparse
import ast
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from liveinstall.errors import LiveInstallError
from liveinstall.events import Downloading, Staging
from liveinstall.hosts import Host, start_again

if TYPE_CHECKING:
    from liveinstall.events import Event
    from liveinstall.results import Plan, Result

PROTECTED = ("packaging>=22",)  # the application's own requirements


class Application:
    """The plugins of `directory`; `yes` is the answer to every question."""

    def __init__(self, directory: Path, *, yes: bool) -> None:
        self.directory = directory
        self.yes = yes
        self.waiting: list[str] = []
        self.host = Host(
            "plugin-host", protect=PROTECTED, consent=self.consent, restart=self.restart, on_event=self.progress
        )

    def requirements(self, plugin: str) -> tuple[str, ...]:
        """The requirements of a plugin, without running its code."""
        tree = ast.parse(self.file(plugin).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "REQUIRES" for t in node.targets
            ):
                return tuple(map(str, ast.literal_eval(node.value)))
        return ()

    def file(self, plugin: str) -> Path:
        """The file of a plugin."""
        return self.directory / f"{plugin}.py"

    def consent(self, plugin: str, plan: Plan) -> bool:
        """Show the plan, and ask. In a graphical application this is a dialog."""
        print(f"The plugin {plugin} needs this:\n{plan}")
        return self.yes or input("Proceed? [y/N] ").strip().lower() in ("y", "yes")

    def restart(self, plugin: str, result: Result) -> None:
        """Remember that a restart is needed. Loaded packages keep working until then."""
        self.waiting += [f"{plugin} needs a restart for {change}" for change in result.staged]

    def progress(self, plugin: str, event: Event) -> None:
        """One line for each slow step."""
        match event:
            case Downloading(file, done, total) if done == total:
                print(f"[{plugin}] {file}: {done} bytes")
            case Staging(name, done, total) if name:
                print(f"[{plugin}] {name} is unpacked, {done} of {total}")

    def run(self, plugin: str) -> bool:
        """Install a plugin's requirements, and run it unless a change is pending; whether it ran."""
        try:
            result = self.host.ensure(plugin, *self.requirements(plugin)) if self.requirements(plugin) else None
        except LiveInstallError as error:
            print(f"{plugin} cannot be used: {error}")
            return False
        if result and result.restart_required:
            return False
        runpy.run_path(str(self.file(plugin)))["run"]()
        return True

    def remove(self, plugin: str) -> None:
        """Remove the packages that only this plugin needed."""
        removed = self.host.remove(plugin)
        print(removed if removed.changed else f"{plugin} has left no packages.")

    def list(self) -> None:
        """Show the plugins, and their requirements."""
        asked = self.host.plugins()
        for path in sorted(self.directory.glob("*.py")):
            needs = ", ".join(self.requirements(path.stem)) or "nothing"
            print(f"{path.stem}: needs {needs}" + (" (installed for it)" if path.stem in asked else ""))

    def offer_restart(self) -> None:
        """Restart with the same arguments, if changes are pending and the user agrees. Then they are applied."""
        if not self.waiting:
            return
        print("\n".join(self.waiting))
        if self.yes or input("Restart now? [y/N] ").strip().lower() in ("y", "yes"):
            start_again()


def main() -> int:
    """Run the command; 1 if a plugin could not be used."""
    parser = argparse.ArgumentParser(description="A small application with plugins.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("command", choices=("list", "run", "remove"))
    parser.add_argument("plugins", nargs="*", metavar="NAME")
    parser.add_argument("--yes", action="store_true", help="to every question")
    words = parser.parse_args()
    application = Application(words.directory, yes=words.yes)
    if words.command == "list":
        application.list()
    ran = [application.run(plugin) for plugin in words.plugins if words.command == "run"]
    for plugin in words.plugins if words.command == "remove" else ():
        application.remove(plugin)
    application.offer_restart()
    return 0 if all(ran) else 1


if __name__ == "__main__":
    sys.exit(main())
