"""Loaded by `_pip_child.py`: what a build needs is fetched by another pip, whose arguments every user can list.

So the addresses of indexes and the proxy, which may have passwords in them, reach it in environment variables, which
only this user and root can read.
"""

import contextlib
import importlib

_VARIABLES = {"-i": "PIP_INDEX_URL", "--index-url": "PIP_INDEX_URL", "--extra-index-url": "PIP_EXTRA_INDEX_URL"}
_VARIABLES.update({"--find-links": "PIP_FIND_LINKS", "--proxy": "PIP_PROXY"})


def without_urls(arguments):
    """The arguments of pip without these URLs, and the variables that say them instead.

    Args:
        arguments: The command line; an option and its value are two arguments, as pip's build_env makes them.
    """
    kept, variables, words = [], {}, list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            return [*kept, word, *words], variables
        if word in _VARIABLES and words and "@" in words[0] and "://" in words[0]:
            name, value = _VARIABLES[word], words.pop(0).replace(" ", "%20")
            variables[name] = (variables[name] + " " + value) if name in variables else value
        else:
            kept.append(word)
    return kept, variables


def hide_urls():
    """Let pip start the other pip so; where it has that function depends on its version."""
    for name in ("build_env", "build_env.installer"):
        with contextlib.suppress(ImportError, AttributeError):
            _hide(importlib.import_module("pip._internal." + name))


def _hide(module):
    call = module.call_subprocess

    def call_without_urls(cmd, *given, **named):
        if "--isolated" not in cmd:  # it would ignore the variables
            cmd, variables = without_urls(cmd)
            named["extra_environ"] = {**(named.get("extra_environ") or {}), **variables}
        return call(cmd, *given, **named)

    module.call_subprocess = call_without_urls
