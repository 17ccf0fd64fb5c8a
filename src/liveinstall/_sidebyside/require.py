"""`require()` where no earlier answer is remembered: choose versions, and activate them for this process."""

from __future__ import annotations

from liveinstall._environment.installed import finder
from liveinstall._environment.target import current_site
from liveinstall._sidebyside import activate
from liveinstall._sidebyside.activation.answer_cache import Answer
from liveinstall._sidebyside.activation.apply import apply, granted
from liveinstall._sidebyside.registry.format import encode
from liveinstall._sidebyside.registry.index_builder import write_tables
from liveinstall._sidebyside.selection.choose import (
    SelectionContext,
    broken_by,
    check_simple,
    choose,
    registry_for,
    tops_in_question,
)
from liveinstall._sidebyside.store.store import Store
from liveinstall.errors import ActivationError, AlreadyLoadedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from liveinstall._sidebyside.activation.answer_cache import Question
    from liveinstall._sidebyside.selection.resolver import AvailableVersion
    from liveinstall.events import OnEvent
    from liveinstall.reports import Activation


def require_anew(
    texts: Sequence[str],
    *,
    install: bool,
    on_event: OnEvent,
    quiet: bool | None,
    options: Mapping[str, Any],
    question: Question | None,
) -> Activation:
    """Resolve requirements and activate the chosen versions in this process.

    Args:
        texts: The requirements, by name only.
        install: Whether to fetch missing versions.
        on_event: As for `liveinstall.install()`.
        quiet: As for `liveinstall.install()`.
        options: The options of `liveinstall.install()` for fetching.
        question: Under which the answer is remembered for later processes; None: it is not.

    Returns:
        The active versions, and the reason.

    Raises:
        RequirementError: A requirement or an option is invalid.
        NotStoredError: A version is neither stored nor installed, and `install` is not set.
        AlreadyLoadedError: This process has loaded another version.
        ActivationError: The requirements contradict each other, or the active versions.
    """
    check_simple(texts)
    if options:
        from liveinstall._sidebyside.selection.fetch import check_options

        check_options(texts, options)
    site = current_site()
    store = Store.default(site)
    context = SelectionContext(store, finder(), activate.active())
    wanted = [*granted, *(text for text in texts if text not in granted)]  # earlier requirements still apply
    try:
        chosen = choose(wanted, context)
    except AlreadyLoadedError:
        raise
    except ActivationError:
        if not install:
            raise
        from liveinstall._sidebyside.install import fetch_missing
        from liveinstall.events import Reporter

        with Reporter(on_event, quiet=quiet) as reporter:
            fetch_missing(texts, store, options, reporter)
        chosen = choose(wanted, context)
        question = None  # the store has changed since
    return _activate(texts, chosen, context, site, question)


def _activate(
    texts: Sequence[str],
    chosen: Mapping[str, AvailableVersion],
    context: SelectionContext,
    site: str,
    question: Question | None,
) -> Activation:
    why = f"require({', '.join(map(repr, texts))})"
    store = context.store.path
    used = tuple((offer.name, offer.version, offer.place) for offer in chosen.values())
    before = {place for _, _, place in context.active.index.pins} if context.active else set()
    new = {name: offer for name, offer in chosen.items() if offer.place and offer.place not in before}
    text = b""
    tops: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    if new:
        registry = registry_for(chosen, context)
        write_tables([offer.place for offer in new.values()], store)
        whys = f"{context.active.why}; {why}" if context.active else why
        text = encode(registry, [whys]).encode("utf-8", "surrogateescape")
        broken = broken_by(new, context)
        tops, conflicts = tops_in_question(new, broken, context), tuple(map(str, broken))
    answer = Answer(used, conflicts, text, tops, site, store)
    if question and not context.active:
        question.remember(answer)
    return apply(answer, why, texts)
