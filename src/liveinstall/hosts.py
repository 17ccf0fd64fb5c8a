"""For applications that embed Python and have plugins: one object that asks, protects, installs and tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall._changes.requester_constraints import check_requester_options
from liveinstall._frontends import import_hints
from liveinstall._verbs import requesters
from liveinstall._verbs.ensure import ensure
from liveinstall._verbs.install import install
from liveinstall._verbs.uninstall import uninstall
from liveinstall.errors import DeclinedError
from liveinstall.events import Planned
from liveinstall.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from liveinstall._requirements.request import RequirementLike
    from liveinstall.events import Event
    from liveinstall.results import Plan

__all__ = ["Host"]


class Host:
    """An application that installs for its plugins into the environment that it runs in.

    Parameters: `name` of the application; it is recorded with each request. `protect`: requirements of the application
    itself, which no plugin may break. The callbacks get the plugin's name first, and are called in the thread that does
    the work:
    `consent(plugin, plan)` is asked once it is known what would happen, and before anything does; unless it returns
    True, DeclinedError is raised and nothing is changed. It is not asked when there is nothing to do.
    `restart(plugin, result)` is called after a request of which something waits for a restart.
    `on_event(plugin, event)` hears each of `liveinstall.events`.
    From the first Host on errors are shown as the application shows them: they get no notes of ours.

    Raises: RequirementError.
    """

    def __init__(
        self,
        name: str,
        *,
        protect: Sequence[str] = (),
        consent: Callable[[str, Plan], bool] | None = None,
        restart: Callable[[str, Result], object] | None = None,
        on_event: Callable[[str, Event], object] | None = None,
    ) -> None:
        check_requester_options(name, protect)
        self.name = name
        self.protect = tuple(protect)
        self._consent = consent
        self._restart = restart
        self._on_event = on_event
        import_hints.leave_alone()

    def ensure(self, plugin: str, *requirements: RequirementLike, **options: Any) -> Result:
        """Have what a plugin needs: nothing, in milliseconds, where it is there. Options are those of `install()`.

        Raises: DeclinedError, ProtectedError where it would break what the host or another plugin needs, and what
        `install()` raises; nothing was changed then.
        """
        return self._change(ensure, plugin, requirements, **options)

    def install(self, plugin: str, *requirements: RequirementLike, **options: Any) -> Result:
        """Install for a plugin, for example with `upgrade=True`; else as `ensure()`."""
        return self._change(install, plugin, requirements, **options)

    def remove(self, plugin: str, **options: Any) -> Result:
        """Take out what came in for a plugin and nobody else needs, and keep nothing for it any more.

        Options are those of `uninstall()`. Raises: DeclinedError, and what `uninstall()` raises.
        """
        who = self._requester(plugin)
        names = requesters.only_for(who, self.protect)
        result = uninstall(*names, on_event=self._listener(plugin, options), **options) if names else Result()
        if not result.dry_run:
            requesters.forget(who)
            self._tell(plugin, result)
        return result

    def plugins(self) -> dict[str, tuple[str, ...]]:
        """The plugins of this host that have asked for something, with what."""
        mine = [who for who in requesters.requesters() if who.startswith(self._requester(""))]
        return {who.removeprefix(self._requester("")): requesters.asked_by(who) for who in mine}

    def _change(self, verb: Callable[..., Result], plugin: str, requirements: Sequence[Any], **options: Any) -> Result:
        protect = (*self.protect, *options.pop("protect", ()))
        options = {**options, "requester": self._requester(plugin), "protect": protect}
        result = verb(*requirements, on_event=self._listener(plugin, options), **options)
        self._tell(plugin, result)
        return result

    def _requester(self, plugin: str) -> str:
        return f"{self.name}/{plugin}"

    def _tell(self, plugin: str, result: Result) -> None:
        if self._restart is not None and result.restart_required and not result.dry_run:
            self._restart(plugin, result)

    def _listener(self, plugin: str, options: Mapping[str, Any]) -> Callable[[Event], None]:
        def hear(event: Event) -> None:
            if self._on_event is not None:
                self._on_event(plugin, event)
            if isinstance(event, Planned) and event.plan.changes and not options.get("dry_run"):
                self._ask(plugin, event.plan)

        return hear

    def _ask(self, plugin: str, plan: Plan) -> None:
        if self._consent is not None and self._consent(plugin, plan) is not True:
            raise DeclinedError(f"what {plugin} asks for was declined.", plugin=plugin, plan=plan)
