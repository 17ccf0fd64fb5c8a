"""The public interface as plain values: names, parameters, fields, variables, groups, commands.

    PYTHONPATH=<tree>/src python tests/helpers/public_api.py <tree> PARSER EXIT_CODES > tests/data/public_api.json

PARSER is the module with `build_parser()`, EXIT_CODES the enumeration as MODULE:NAME. This file runs with any version.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

_VARIABLE = re.compile(r"LIVEINSTALL_[A-Z_]+")
_GROUP = "liveinstall.owners"
_HOOKS = ("show", "bundle")  # of `Shown` in 0.1.0: only the front ends assigned functions to it
_OPTION = ("nargs", "type", "choices", "default", "required", "const", "dest")


def describe_module(name: str, public: list[str]) -> dict[str, Any]:
    """Describe the public names of a module.

    Args:
        name: The module's full name.
        public: Those of its names that are public; missing ones are omitted from the result.

    Returns:
        A description of each, by name, of JSON values only.
    """
    module = import_module(name)
    return {each: _describe(getattr(module, each)) for each in public if hasattr(module, each)}


def public_names(name: str) -> list[str]:
    """The public names of a module: its `__all__`, or the exceptions and dataclasses that it defines."""
    module = import_module(name)
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        each
        for each, value in vars(module).items()
        if isinstance(value, type)
        and value.__module__ == name
        and (issubclass(value, Exception) or hasattr(value, "__dataclass_fields__"))
    )


def _describe(value: Any) -> dict[str, Any]:
    if inspect.ismodule(value):
        return {"kind": "module"}
    if isinstance(value, type):
        return {"kind": "class", "bases": _bases(value), "parameters": _parameters(value), **_members(value)}
    if callable(value):
        kind = "coroutine function" if inspect.iscoroutinefunction(value) else "function"
        return {"kind": kind, "parameters": _parameters(value)}
    return {"kind": type(value).__name__}


def _bases(kind: type) -> list[str]:
    """Classes that users catch or check with `isinstance()`."""
    known = ("builtins", "liveinstall.errors", "liveinstall.events")
    return [base.__name__ for base in kind.__mro__[1:-1] if base.__module__ in known]


def _parameters(value: Any) -> list[list[str]]:
    """Name, kind and default of each parameter; a default that is not a plain value is described by its type."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # implemented in C
        return []
    return [[each.name, each.kind.name, _default(each)] for each in parameters]


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is parameter.empty else _words(parameter.default)


def _words(value: Any) -> str:
    plain = value is None or isinstance(value, (bool, int, float, str, tuple, dict, list))
    return repr(value) if plain else type(value).__name__


def _members(kind: type) -> dict[str, Any]:
    ours = [base for base in kind.__mro__ if base.__module__.startswith("liveinstall")]
    annotated = [name for base in ours for name in inspect.get_annotations(base)]
    fields = {name: _words(getattr(kind, name, ...)) for name in annotated}
    methods, properties = {}, []
    for name in sorted({name for base in ours for name in vars(base) if not name.startswith("_")}):
        value = inspect.getattr_static(kind, name)
        if name in _HOOKS:
            continue
        if callable(value) or isinstance(value, (classmethod, staticmethod)):
            methods[name] = _parameters(getattr(kind, name))
        elif hasattr(value, "__get__"):
            properties.append(name)
        else:
            fields[name] = _words(value)
    public = {name: words for name, words in fields.items() if not name.startswith("_") and name not in _HOOKS}
    return {"fields": public, "methods": methods, "properties": properties}


def describe_parser(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Describe a command line: its options and positional arguments, and by "command VERB" the same of each verb."""
    options, positionals, verbs = {}, [], {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            verbs = {f"command {name}": describe_parser(verb)["command"] for name, verb in action.choices.items()}
            continue
        about = {name: _json(value) for name in _OPTION if (value := getattr(action, name, None)) is not None}
        about["action"] = type(action).__name__.strip("_")
        if action.option_strings:
            options |= dict.fromkeys(action.option_strings, about)
        else:
            if action.nargs in ("*", "..."):
                about["required"] = True  # argparse's names for them up to Python 3.14
            positionals.append(about)
    return {"command": {"options": options, "positionals": positionals}, **verbs}


def _json(value: Any) -> Any:
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_json(each) for each in value]
    return getattr(value, "__name__", type(value).__name__)


def string_constants(source: Path) -> set[str]:
    """The strings in a tree of Python files."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(source.rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {node.value for node in nodes if isinstance(node.value, str)}


def describe_tree(root: Path) -> dict[str, Any]:
    """Describe a source tree apart from its names: variables, groups of entry points, its own entry points."""
    strings = string_constants(root / "src")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "variables": sorted(filter(_VARIABLE.fullmatch, strings)),
        "groups": sorted({_GROUP} & strings),
        "scripts": sorted(project["scripts"]),
        "extras": sorted(project["optional-dependencies"]),
        "jupyter configuration": json.loads((root / "jupyter" / "liveinstall.json").read_text(encoding="utf-8")),
    }


DOORS = ("liveinstall", *(f"liveinstall.{name}" for name in ("errors", "events", "hosts", "homes", "owners")))
VALUES = ("liveinstall.model", "liveinstall.reports")
FOR_PROGRAMS = ["__version__", "_jupyter_server_extension_points", "load_ipython_extension", "unload_ipython_extension"]


def describe_everything(root: Path, parser: Any, exit_codes: Any) -> dict[str, Any]:
    """Describe the whole public interface of the importable liveinstall, with the source tree `root`."""
    names = {name: public_names(name) for name in (*DOORS, *VALUES)}
    names["liveinstall"] = [*names["liveinstall"], *FOR_PROGRAMS]
    face = {f"{name}.{each}": about for name in names for each, about in describe_module(name, names[name]).items()}
    codes = {code.name: code.value for code in exit_codes}
    return {**face, **describe_tree(root), **describe_parser(parser), "exit codes": codes}


def main() -> None:
    """Print the description as JSON."""
    root, parser, exit_codes = sys.argv[1:]
    module, _, name = exit_codes.partition(":")
    made = import_module(parser).build_parser("liveinstall")
    face = describe_everything(Path(root), made, getattr(import_module(module), name))
    lines = (f"{json.dumps(name)}: {json.dumps(about, sort_keys=True)}" for name, about in sorted(face.items()))
    print("{", ",\n".join(lines), "}", sep="\n")


if __name__ == "__main__":
    main()
