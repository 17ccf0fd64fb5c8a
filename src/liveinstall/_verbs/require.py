"""`require()`: a cached resolution that is still valid is activated without importing the resolver.

In that case a process loads only this module and its imports.
"""

from __future__ import annotations

from _thread import RLock

from liveinstall._sidebyside import activate
from liveinstall._sidebyside.activation.answer_cache import Question
from liveinstall._sidebyside.activation.apply import apply, granted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall._requirements.request import RequirementLike
    from liveinstall.events import OnEvent
    from liveinstall.reports import Activation

_ONE_AT_A_TIME = RLock()


def require(
    *requirements: RequirementLike,
    install: bool = False,
    on_event: OnEvent = None,
    quiet: bool | None = None,
    **options: Any,
) -> Activation:
    """Make versions that satisfy `requirements`, with their dependencies, importable in this process.

    Versions of the default environment are used if they match, else those that were installed with `parallel=True`.
    Nothing on disk is changed. Call it before the first import of the distributions: a process has one version of each,
    and calls that contradict earlier ones are refused.

    Args:
        *requirements: PEP 508 strings, or `packaging` Requirements.
        install: Whether to fetch missing versions into the side-by-side store. Default: raise NotStoredError.
        on_event: As for `install()`.
        quiet: As for `install()`.
        **options: With `install=True`: other options of `install()`.

    Returns:
        The active versions.

    Raises:
        NotStoredError: No stored or installed version matches, and `install` is False.
        AlreadyLoadedError: The process has loaded another version.
        ActivationError: The requirements contradict each other or those of an earlier call; `chains` says which.
        RequirementError: A requirement or an option is invalid.
        LiveInstallError: With `install=True`: as for `install()`. Nothing was activated in any of these cases.
    """
    texts = [each if isinstance(each, str) else _text(each) for each in requirements]
    with _ONE_AT_A_TIME:
        question = None if activate.active() or granted or options else Question(texts)
        answer = question.answer() if question else None
        if answer:
            return apply(answer, f"require({', '.join(map(repr, texts))})", texts)
        from liveinstall._sidebyside.require import require_anew

        return require_anew(texts, install=install, on_event=on_event, quiet=quiet, options=options, question=question)


def _text(requirement: object) -> str:
    """A Requirement or a path as a text; RequirementError for anything else, which may be the name of a project."""
    from liveinstall._requirements.requirement import checked_text

    return checked_text(requirement)
