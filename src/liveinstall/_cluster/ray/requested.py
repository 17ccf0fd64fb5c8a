"""The value of the field `liveinstall` of a runtime environment of Ray: requirements, and options of `install()`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PACKAGES = "packages"
_OPTIONS = frozenset(
    (
        *("index_url", "extra_index_urls", "find_links", "no_index", "constraints", "pre", "only_binary", "no_binary"),
        *("require_hashes", "config_settings", "engine", "timeout", "overlap"),
    )
)
_OTHERS = ("pip", "uv", "conda", "py_executable", "image_uri", "container")  # they choose the interpreter, too


@dataclass(frozen=True)
class Requested:
    """What a runtime environment requests.

    Attributes:
        requirements: The requirements.
        options: Options of `install()`, for their sources.
    """

    requirements: tuple[str, ...]
    options: Mapping[str, Any]

    @classmethod
    def of(cls, value: Any) -> Requested:
        """Read the value of the field.

        Args:
            value: A list of requirements, or a dict with the list `packages` and options.

        Raises:
            ValueError: It is neither, or has an unknown option.
        """
        options = dict(value) if isinstance(value, dict) else {}
        packages = options.pop(_PACKAGES, None) if isinstance(value, dict) else value
        if not isinstance(packages, (list, tuple)) or not all(isinstance(each, str) and each for each in packages):
            raise ValueError(
                "runtime_env['liveinstall'] must be a list of requirements, or a dict with the list 'packages' and "
                f"options of liveinstall.install(), not {value!r}."
            )
        unknown = sorted(options.keys() - _OPTIONS)
        if unknown:
            raise ValueError(f"runtime_env['liveinstall'] has no option {', '.join(map(repr, unknown))}.")
        return cls(tuple(packages), options)

    @property
    def uri(self) -> str:
        """The name of the environment: equal requests have equal names."""
        text = json.dumps([sorted(self.requirements), self.options], sort_keys=True)
        return f"liveinstall://{hashlib.sha256(text.encode()).hexdigest()}"

    def check(self) -> None:
        """Check each requirement and option as `install()` does.

        Raises:
            ValueError: One is invalid.
        """
        from liveinstall._sidebyside.selection.fetch import check_options

        check_options(self.requirements, self.options)


def check_others(fields: Mapping[str, Any]) -> None:
    """Check that no other field of a runtime environment chooses the interpreter of its workers.

    Args:
        fields: The runtime environment.

    Raises:
        ValueError: One does.
    """
    others = [name for name in _OTHERS if fields.get(name)]
    if others:
        raise ValueError(f"runtime_env['liveinstall'] cannot be combined with {', '.join(map(repr, others))}.")
