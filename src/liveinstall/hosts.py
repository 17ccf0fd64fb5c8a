"""For applications with plugins: consent, protected requirements and notifications in one object; and a restart."""

from __future__ import annotations

import os
import sys

from liveinstall._changes.requester_constraints import check_requester_options
from liveinstall._environment.holders import replace_process
from liveinstall._frontends import import_hints
from liveinstall._system.interpreter import executable
from liveinstall._verbs import requesters
from liveinstall._verbs.ensure import ensure
from liveinstall._verbs.install import install
from liveinstall._verbs.uninstall import uninstall
from liveinstall.errors import DeclinedError
from liveinstall.events import Planned
from liveinstall.results import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from liveinstall._requirements.request import RequirementLike
    from liveinstall.events import Event
    from liveinstall.results import Plan

__all__ = ["Host", "start_again"]


def start_again(command: Sequence[str | os.PathLike[str]] | None = None) -> NoReturn:
    """Replace this process by a new one, which applies the pending changes first. Exit handlers do not run.

    On POSIX systems this is `exec`. Windows has none that quotes arguments, such as a path with spaces: there the new
    process is a child in the same console; this one, which has no holds anymore, waits and exits with its status.

    Args:
        command: The program, by its absolute path, and its arguments. Default: this interpreter and all its arguments.

    Raises:
        OSError: The program cannot be started. This process continues as before.
    """
    replace_process([executable(), *sys.orig_argv[1:]] if command is None else [os.fspath(word) for word in command])


class Host:
    """An application that installs packages for its plugins into the environment that it runs in.

    The callbacks get the plugin's name first. They are called in the thread that executes the request.
    Once a Host exists, liveinstall adds no hints to ImportErrors: the application reports errors in its own way.

    Args:
        name: The application's name, recorded with each request as `NAME/PLUGIN`.
        protect: PEP 508 requirements of the application itself, which no plugin's request may break. Default: none.
        consent: Called as `consent(plugin, plan)` when the plan is known and before anything is changed. Unless it
            returns True, DeclinedError is raised. Not called if there is nothing to do. Default: no consent is needed.
        restart: Called as `restart(plugin, result)` after each request that leaves changes pending. Default: none.
        on_event: Called as `on_event(plugin, event)` with each event of `liveinstall.events`. Default: none.

    Raises:
        RequirementError: The name is not a valid requester name, or an item of `protect` is not a requirement.
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
        """Install a plugin's requirements unless they are already satisfied; the check takes a few milliseconds.

        Args:
            plugin: The plugin's name.
            *requirements: As for `liveinstall.install()`.
            **options: Other options of `liveinstall.install()`, except `requester` and `on_event`, which the host sets.

        Returns:
            The result of the request; without changes if the requirements were satisfied.

        Raises:
            DeclinedError: `consent` did not return True.
            ProtectedError: The request would break a requirement of the host or of another plugin.
            LiveInstallError: As for `liveinstall.install()`. After any of these errors nothing was changed.
        """
        return self._change(ensure, plugin, requirements, **options)

    def install(self, plugin: str, *requirements: RequirementLike, **options: Any) -> Result:
        """Install a plugin's requirements, for example with `upgrade=True`.

        Args:
            plugin: The plugin's name.
            *requirements: As for `liveinstall.install()`.
            **options: Other options of `liveinstall.install()`, except `requester` and `on_event`, which the host sets.

        Returns:
            The result of the request.

        Raises:
            LiveInstallError: As for `ensure()`.
        """
        return self._change(install, plugin, requirements, **options)

    def remove(self, plugin: str, **options: Any) -> Result:
        """Uninstall the distributions that were installed for a plugin and that nothing else needs.

        The plugin's recorded requirements are removed too, so that later requests no longer have to satisfy them.

        Args:
            plugin: The plugin's name.
            **options: Options of `liveinstall.uninstall()`, except `on_event`. With `dry_run=True` the plugin's
                requirements stay recorded.

        Returns:
            The result of the removal; without changes if no distribution was installed only for this plugin.

        Raises:
            DeclinedError: `consent` did not return True.
            LiveInstallError: As for `liveinstall.uninstall()`.
        """
        requester = self._requester(plugin)
        names = requesters.only_for(requester, self.protect)
        result = uninstall(*names, on_event=self._listener(plugin, options), **options) if names else Result()
        if not result.dry_run:
            requesters.forget(requester)
            self._notify(plugin, result)
        return result

    def plugins(self) -> dict[str, tuple[str, ...]]:
        """List the plugins of this host that have recorded requirements.

        Returns:
            The requirements of each plugin, by the plugin's name.
        """
        prefix = self._requester("")
        own = [requester for requester in requesters.requesters() if requester.startswith(prefix)]
        return {requester.removeprefix(prefix): requesters.asked_by(requester) for requester in own}

    def _change(self, verb: Callable[..., Result], plugin: str, requirements: Sequence[Any], **options: Any) -> Result:
        protect = (*self.protect, *options.pop("protect", ()))
        options = {**options, "requester": self._requester(plugin), "protect": protect}
        result = verb(*requirements, on_event=self._listener(plugin, options), **options)
        self._notify(plugin, result)
        return result

    def _requester(self, plugin: str) -> str:
        return f"{self.name}/{plugin}"

    def _notify(self, plugin: str, result: Result) -> None:
        if self._restart is not None and result.restart_required and not result.dry_run:
            self._restart(plugin, result)

    def _listener(self, plugin: str, options: Mapping[str, Any]) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            if self._on_event is not None:
                self._on_event(plugin, event)
            if isinstance(event, Planned) and event.plan.changes and not options.get("dry_run"):
                self._check_consent(plugin, event.plan)

        return listen

    def _check_consent(self, plugin: str, plan: Plan) -> None:
        if self._consent is not None and self._consent(plugin, plan) is not True:
            raise DeclinedError(f"the request of {plugin} was declined.", plugin=plugin, plan=plan)
