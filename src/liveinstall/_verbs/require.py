"""`require()`: what was resolved before, and still holds, is activated without loading what resolves.

This file and what it imports is all that a process loads whose request is answered already.
"""

from __future__ import annotations

from _thread import RLock
from typing import TYPE_CHECKING, Any

from liveinstall._sidebyside.activation import activate
from liveinstall._sidebyside.activation.answer_cache import Question
from liveinstall._sidebyside.activation.apply import apply, asked

if TYPE_CHECKING:
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
    """Let this process import versions that satisfy `requirements`, and all that they need in turn.

    What the default environment has is used where it fits; else what was installed with `parallel=True`. Nothing on
    disk changes. It has to come before the first import of what it is about: a process has one version of a
    distribution, and two calls that contradict each other are refused. `install=True` fetches what is missing, with the
    `options` of `install()`.

    Raises: NotStoredError, AlreadyLoadedError, ActivationError (with the chain of who required what), RequirementError;
    with `install` what `install()` raises. Nothing was activated then.
    """
    texts = [str(requirement) for requirement in requirements]
    with _ONE_AT_A_TIME:
        question = None if activate.active() or asked or options else Question(texts)
        answer = question.answer() if question else None
        if answer:
            return apply(answer, f"require({', '.join(map(repr, texts))})", texts)
        from liveinstall._sidebyside.require import require_anew

        return require_anew(texts, install=install, on_event=on_event, quiet=quiet, options=options, question=question)
