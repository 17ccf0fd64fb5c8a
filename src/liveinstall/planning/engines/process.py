"""The one place that starts child processes: an argument list, no shell, secrets never shown."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from liveinstall.errors import EngineTimeoutError
from liveinstall.redact import redact

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Sequence[str], *, timeout: float | None) -> tuple[int, str]:
    """Run a child to its end: its exit status, and what it printed, redacted.

    The child is stopped when `timeout` (seconds) is over and on any exception here, Ctrl-C included.

    Raises: EngineTimeoutError.
    """
    with subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            output, _ = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            raise EngineTimeoutError(
                f"the engine did not finish within {timeout:g} seconds and was stopped.",
                todo="Allow more time with timeout=.",
            ) from None
        except BaseException:
            child.kill()
            raise
    return child.returncode, redact(output.decode("utf-8", "replace"))
