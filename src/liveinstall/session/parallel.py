"""Versions side by side: put there, activated for this process, and shown. The default environment stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from liveinstall.commit.waiting import Waiting
from liveinstall.environment.installed import finder, installed
from liveinstall.environment.running import running
from liveinstall.environment.target import find_target
from liveinstall.errors import ActivationError, AlreadyLoadedError
from liveinstall.events import Done, Reporter
from liveinstall.model import Change, Result
from liveinstall.parallel import activating
from liveinstall.parallel.applying import apply, asked
from liveinstall.parallel.indexing import write_tables
from liveinstall.parallel.offers import finals_first, offer_of, usable
from liveinstall.parallel.registry import encode
from liveinstall.parallel.remembered import Answer
from liveinstall.parallel.requiring import Scene, broken_by, check_simple, choose, registry_for, tops_in_question
from liveinstall.parallel.store import Store
from liveinstall.reports import Activation, InUse, Versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall.events import OnEvent
    from liveinstall.parallel.remembered import Question
    from liveinstall.parallel.solving import Offer
    from liveinstall.parallel.store import Stored
    from liveinstall.planning.requests import RequirementLike


def put_beside(requirements: Sequence[RequirementLike], options: Mapping[str, Any], reporter: Reporter) -> Result:
    """See `liveinstall.install(parallel=True)`."""
    with reporter:
        store = Store.default(_site())
        before = {entry.path for entry in store.entries()}
        found = _fetch(requirements, store, options, reporter)
        write_tables([entry.path for entry in found], store.path)
        new = [entry for entry in found if entry.path not in before]
        result = Result(
            installed=tuple(_change(entry, None, "") for entry in new),
            unchanged=tuple(_change(entry, entry.version, "it is stored") for entry in found if entry.path in before),
            parallel=True,
            notes=(f"import it with require(), or in a child process; it lies in {store.path}",) if new else (),
        )
        reporter.tell(Done(result))
        return result


def _fetch(
    requirements: Sequence[RequirementLike], store: Store, options: Mapping[str, Any], reporter: Reporter
) -> tuple[Stored, ...]:
    from liveinstall.parallel.fetching import fetch  # engines, only where something is fetched

    return fetch(requirements, store, tell=reporter.tell, **options)


def _change(entry: Stored, old: str | None, reason: str) -> Change:
    return Change(entry.name, old, entry.version, reason=reason)


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
        from liveinstall.parallel.fetching import check_options

        check_options(texts, options)
    site = _site()
    store = Store.default(site)
    scene = Scene(store, finder(), activating.active())
    wanted = [*asked, *(text for text in texts if text not in asked)]  # what was granted before still holds
    try:
        chosen = choose(wanted, scene)
    except AlreadyLoadedError:
        raise
    except ActivationError:
        if not install:
            raise
        with Reporter(on_event, quiet=quiet) as reporter:
            _fetch(texts, store, options, reporter)
        chosen = choose(wanted, scene)
        question = None  # the store is another one now
    return _activate(texts, chosen, scene, site, question)


def _activate(
    texts: Sequence[str], chosen: Mapping[str, Offer], scene: Scene, site: str, question: Question | None
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


def versions(name: str) -> Versions:
    """All versions of a distribution: in the default environment, stored beside it, pending, and active."""
    name = canonicalize_name(name)
    site = _site()
    here = installed()
    default = here[name].version if name in here else ""
    offers = finals_first(filter(None, map(offer_of, usable(Store.default(site).find(name)))))
    waits = Waiting.read(site).entries.get(name)
    pending = (waits.swap.new_version or "removed") if waits else ""
    current = activating.active()
    pins = {canonicalize_name(pin): version for pin, version, _ in current.index.pins} if current else {}
    shut = bool(current and current.index.exclusive)
    runs = running({name: here[name]}).get(name) if name in here else None
    active = pins.get(name) or runs or ("" if shut else default)
    return Versions(name, default, tuple(offer.version for offer in offers), pending, active)


def current() -> Activation | None:
    """What is active in this process, for `status()`."""
    found = activating.active()
    if found is None:
        return None
    used = tuple(InUse(canonicalize_name(name), version, place) for name, version, place in found.index.pins)
    return Activation(found.why, found.source, used, exclusive=found.index.exclusive)


def _site() -> str:
    return find_target(for_change=False).site
