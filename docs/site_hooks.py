"""Pages of the site that follow from the code: the API reference, the command line, the changelog, contributing."""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "liveinstall"

# The functions by what people want to do, in the order of the page.
FUNCTIONS = {
    "Change packages": ("install", "plan", "ensure", "uninstall"),
    "Look at packages": ("list", "freeze", "check", "versions"),
    "Pending changes": ("status", "pending", "cancel", "finalize", "trial", "restart", "recover"),
    "History": ("history", "undo", "prune"),
    "Running processes": ("hold", "guard"),
    "Damage": ("doctor", "repair"),
    "Other versions in one process": ("require",),
    "Event loops": ("ainstall", "aplan", "aensure", "auninstall", "aundo"),
    "Notebooks and prompts": ("take_over_pip", "give_back_pip", "repl"),
}
# Sections of the former page how-to.md, whose address the index of the guides has now: fragment -> page.
MOVED = {
    "installing-into-a-running-interpreter": "install-packages",
    "what-another-package-does-not-allow": "conflicts",
    "specifying-requirements": "requirements",
    "removing": "uninstall",
    "the-users-site-packages": "uninstall",
    "ensuring-that-requirements-are-satisfied": "ensure",
    "installing-for-plugins": "plugins",
    "avoiding-a-restart": "avoid-a-restart",
    "progress-event-loops-cancellation": "progress",
    "listing-and-checking-the-environment": "check",
    "previewing-changes": "preview",
    "trying-the-new-version-before-the-restart": "preview",
    "listing-pending-changes": "apply",
    "switching-to-the-new-version": "apply",
    "protecting-a-process-that-does-not-install-anything": "protect",
    "cancelling-pending-changes": "cancel",
    "undoing": "undo",
    "repairing-damage-left-by-other-tools": "repair",
}
MODULES = ("cluster", "cluster.dask", "cluster.ray", "cluster.spark", "homes", "hosts", "owners", "registries")
VALUES = ("results", "reports")

_FUNCTIONS_BEGIN = """\
# Functions

`import liveinstall`, then `liveinstall.NAME(...)`. Which of them to use: [which function?](../which-function.md)
"""
_RESULTS_BEGIN = """\
# Results

The frozen values that functions return. They are displayed as text and, in notebooks, as cards and tables.
"""
_ERRORS_BEGIN = """\
# Error classes

What each means and what to do: [errors](../errors.md).
"""
_COMMANDS_BEGIN = """\
# Command line reference

`liveinstall` and `python -m liveinstall` are the same. Exit statuses, JSON and completion: [the command
line](../command-line.md).
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    pages = {
        "reference/functions.md": functions(),
        "reference/modules.md": modules(),
        "reference/results.md": _RESULTS_BEGIN + "".join(map(_classes, VALUES)),
        "reference/errors.md": _ERRORS_BEGIN + _classes("errors"),
        "reference/events.md": "# Events\n\nWhat an `on_event` callback receives.\n" + _classes("events"),
        "reference/cli.md": command_line(),
        "changelog.md": _in_docs((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")),
        "contributing.md": _in_docs((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")),
        "security.md": _in_docs((ROOT / "SECURITY.md").read_text(encoding="utf-8")),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Give commands without a prompt the colours of a shell: as a console's text they would all be output."""
    return re.sub(r"^( *```)console\n(?! *\$ )", r"\1bash\n", markdown, flags=re.MULTILINE)


def on_page_content(html: str, page: Page, **_: object) -> str:
    """Redirect old links to sections of the how-to guides to their pages."""
    if page.file.src_uri != "how-to/index.md":
        return html
    script = f"const to = {json.dumps(MOVED)}[location.hash.slice(1)]; if (to) location.replace(`${{to}}/`)"
    return f"{html}<script>{script}</script>"


def functions() -> str:
    """Return the page of the functions of `liveinstall`."""
    parts = [_FUNCTIONS_BEGIN]
    for title, names in FUNCTIONS.items():
        parts.append(f"\n## {title}\n")
        parts.extend(_object(f"liveinstall.{name}") for name in names)
    return "".join(parts)


def modules() -> str:
    """Return the page of the public modules, with each name that they export."""
    parts = ["# Modules\n\nEach is an attribute of `liveinstall`.\n"]
    for module in MODULES:
        tree = tree_of(module)
        about = (ast.get_docstring(tree) or "").partition("\n")[0]
        parts.append(f"\n## liveinstall.{module}\n\n{about}\n")
        parts.extend(_object(f"liveinstall.{module}.{name}") for name in exported(tree))
    return "".join(parts)


def tree_of(module: str) -> ast.Module:
    """Return the parsed source of a public module or package."""
    path = SOURCE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def exported(tree: ast.Module) -> list[str]:
    """Return the names in `__all__`, or else the public classes and functions of a module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def command_line() -> str:
    """Return the page of the command line, from its parser."""
    from liveinstall._frontends.cli.parser import ALIASES, build_parser, verbs_of

    os.environ["COLUMNS"] = "90"
    parser = build_parser("liveinstall")
    pages = {"liveinstall": parser.format_help().replace(sys.prefix, "PATH/OF/THE/ENVIRONMENT")}
    for name, verb in _verbs(verbs_of(parser)):
        if name not in ALIASES:
            pages[f"liveinstall {name}"] = verb.format_help()
    parts = [_COMMANDS_BEGIN]
    parts.extend(f"\n## {title}\n\n```text\n{text.rstrip()}\n```\n" for title, text in pages.items())
    return "".join(parts)


def _verbs(
    verbs: dict[str, argparse.ArgumentParser], prefix: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Iterate over the commands, and over those that they have themselves."""
    for name, verb in verbs.items():
        yield prefix + name, verb
        for action in verb._actions:  # noqa: SLF001  argparse has no public access to them
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                yield from _verbs(action.choices, f"{prefix}{name} ")


def _object(name: str) -> str:
    return f"\n::: {name}\n    options: {{heading_level: 3}}\n"


def _classes(module: str) -> str:
    tree = ast.parse((SOURCE / f"{module}.py").read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    return "".join(_object(f"liveinstall.{module}.{name}") for name in names)


def _in_docs(text: str) -> str:
    """Links of a file at the top of the repository, as seen from `docs/`."""
    return re.sub(r"\]\(docs/", "](", text)
