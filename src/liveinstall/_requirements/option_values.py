"""The options of a request: their defaults, and the validation of each value by itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from liveinstall._requirements.requirement import text_of, wrong
from liveinstall._system.lean_packaging import canonicalize_name, is_requirement
from liveinstall._system.settings import CONFLICTS, VERIFY, is_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CHOICES = {
    "when": ("auto", "now", "restart"),
    "upgrade_strategy": ("only-if-needed", "eager"),
    "overlap": ("allow", "refuse"),
}
_CONFLICTS = ("ask", "refuse", "allow")
FLAGS = {
    **dict.fromkeys(("upgrade", "reinstall", "pre", "no_index", "require_hashes"), False),
    **dict.fromkeys(("user", "break_system_packages"), False),
    "deps": True,
}
_LISTS = (
    *("requirement_files", "editable", "groups", "extras", "constraints", "extra_index_urls", "find_links"),
    *("only_binary", "no_binary", "pip_arguments"),
)
_TEXTS = ("script", "pylock", "index_url", "upgrade_strategy")
DEFAULTS: dict[str, Any] = {
    **FLAGS,
    **dict.fromkeys(_LISTS, ()),
    **dict.fromkeys(_TEXTS),
    "config_settings": (),
    "when": "auto",
    "overlap": "allow",
    "timeout": None,
}


def value_of(name: str, value: Any) -> Any:
    """Validate the value of an option; a single string is accepted for a list.

    Args:
        name: The option of `install()`.
        value: The value that the caller gave.

    Returns:
        The value in its normal form; lists as tuples of strings.

    Raises:
        RequirementError: The value has the wrong type, or is not one of the choices.
    """
    if name in FLAGS and not isinstance(value, bool):
        raise wrong(f"{name}={value!r} is neither True nor False.", name, todo=f"Pass {name}=True or {name}=False.")
    if name in _LISTS:
        if isinstance(value, (str, os.PathLike)) or is_requirement(value):
            value = (value,)
        is_list = isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (bytes, bytearray))
        texts = is_list and all(isinstance(each, (str, os.PathLike)) or is_requirement(each) for each in value)
        if value is not None and not texts:
            raise wrong(f"{name}={value!r} must be a list of strings.", name)
        return _checked_lines(name, tuple(map(text_of, value or ())))
    if name in _TEXTS and value is not None:
        if not isinstance(value, (str, os.PathLike)):
            raise wrong(f"{name}={value!r} must be a string or a path.", name)
        value = _checked_lines(name, (text_of(value),))[0]
    if name in _CHOICES and value is not None and value not in _CHOICES[name]:
        raise wrong(f"{name}={value!r} is not a valid value.", name, todo=f"Use {_in_words(_CHOICES[name])}.")
    if name == "timeout" and value is not None and not _is_positive(value):
        what = f"timeout={value!r} is not a positive number of seconds."
        raise wrong(what, name, todo="Pass a number, such as 60.")
    return _settings(value) if name == "config_settings" else value


def _in_words(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _checked_lines(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not value.strip() or "\0" in value or "\n" in value:
            raise wrong(f"{name}={value!r} must be one line that is not empty.", name)
    return values


def _settings(value: Any) -> tuple[tuple[str, str], ...]:
    """The pairs in {"key": "value"}, {"key": ["several", "values"]}, or KEY=VALUE as on the command line."""
    pairs: list[Any]
    if isinstance(value, Mapping):
        pairs = [(key, each) for key, values in value.items() for each in _listed(values)]
    elif value is None or isinstance(value, (str, list, tuple)):
        pairs = [tuple(each.split("=", 1)) if isinstance(each, str) else each for each in _listed(value)]
    else:
        raise wrong(f"config_settings={value!r} must be a dictionary.", "config_settings")
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(text, str) for text in pair) or not pair[0]:  # noqa: PLR2004
            raise wrong(f"config_settings: {pair!r} is not KEY=VALUE.", "config_settings")
    return tuple(pairs)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else () if value is None else (value,)


def names_of(option: str, values: Sequence[str]) -> tuple[str, ...]:
    """Normalize the names in the value of `only_binary` or `no_binary`.

    Args:
        option: The name of the option, for the error message.
        values: Names, also several separated by commas, or pip's `:all:` and `:none:`.

    Returns:
        The normalized names.

    Raises:
        RequirementError: A value is not a project name.
    """
    names = [name.strip() for value in values for name in value.split(",")]
    for name in names:
        if name not in (":all:", ":none:") and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
            raise wrong(f"{option}: {name!r} is not a project name.", name)
    return tuple(name if name.startswith(":") else canonicalize_name(name) for name in names)


def conflict_policy(value: Any) -> str:
    """Validate the value of the option `conflicts`.

    Args:
        value: The value that the caller gave.

    Returns:
        The value; for None that of the environment variable LIVEINSTALL_CONFLICTS, empty if that is not set.

    Raises:
        RequirementError: The value is not one of the choices.
    """
    name, given = "conflicts", value
    if value is None:
        name, given = CONFLICTS, os.environ.get(CONFLICTS, "").strip().lower()
    if given not in (*_CONFLICTS, *([""] if value is None else [])):
        raise wrong(f"{name}={given!r} is not a valid value.", name, todo=f"Use {_in_words(_CONFLICTS)}.")
    return str(given)


def wants_verification(value: Any) -> bool:
    """Validate the value of the option `verify`.

    Args:
        value: The value that the caller gave.

    Returns:
        The value; for None whether the environment variable LIVEINSTALL_VERIFY is on.

    Raises:
        RequirementError: The value is neither a bool nor None.
    """
    if value is None:
        return is_on(VERIFY)
    if not isinstance(value, bool):
        raise wrong(f"verify={value!r} is neither True nor False.", "verify", todo="Pass verify=True or verify=False.")
    return value
