"""Versions side by side: put there, activated for this process, and shown. The default environment stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall._environment.installed import finder
from liveinstall._environment.target import current_site
from liveinstall._sidebyside.activation import activate
from liveinstall._sidebyside.activation.answer_cache import Answer
from liveinstall._sidebyside.activation.apply import apply, asked
from liveinstall._sidebyside.install import fetch_missing
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
from liveinstall.events import Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    """See `liveinstall.require`; the answer is remembered for `question`."""
    check_simple(texts)
    if options:
        from liveinstall._sidebyside.selection.fetch import check_options

        check_options(texts, options)
    site = current_site()
    store = Store.default(site)
    scene = SelectionContext(store, finder(), activate.active())
    wanted = [*asked, *(text for text in texts if text not in asked)]  # what was granted before still holds
    try:
        chosen = choose(wanted, scene)
    except AlreadyLoadedError:
        raise
    except ActivationError:
        if not install:
            raise
        with Reporter(on_event, quiet=quiet) as reporter:
            fetch_missing(texts, store, options, reporter)
        chosen = choose(wanted, scene)
        question = None  # the store is another one now
    return _activate(texts, chosen, scene, site, question)


def _activate(
    texts: Sequence[str],
    chosen: Mapping[str, AvailableVersion],
    scene: SelectionContext,
    site: str,
    question: Question | None,
) -> Activation:
    why = f"require({', '.join(map(repr, texts))})"
    store = scene.store.path
    used = tuple((offer.name, offer.version, offer.place) for offer in chosen.values())
    before = {place for _, _, place in scene.active.index.pins} if scene.active else set()
    new = {name: offer for name, offer in chosen.items() if offer.place and offer.place not in before}
    text = b""
    tops: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    if new:
        registry = registry_for(chosen, scene)
        write_tables([offer.place for offer in new.values()], store)
        whys = f"{scene.active.why}; {why}" if scene.active else why
        text = encode(registry, [whys]).encode("utf-8", "surrogateescape")
        broken = broken_by(new, scene)
        tops, conflicts = tops_in_question(new, broken, scene), tuple(map(str, broken))
    answer = Answer(used, conflicts, text, tops, site, store)
    if question and not scene.active:
        question.remember(answer)
    return apply(answer, why, texts)
