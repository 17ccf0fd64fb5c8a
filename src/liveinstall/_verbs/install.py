"""What a user calls: plan -> stage -> commit, under the environment's lock, and nothing else.

Loading what a request needs takes as long as starting pip: so the engine is started first, and all else while it loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from liveinstall._engines.select import choose_engine
from liveinstall._system.gc_throttle import throttled_gc
from liveinstall._system.presenter import presenter
from liveinstall._system.settings import check_permitted
from liveinstall.errors import RequirementError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from liveinstall._requirements.request import RequirementLike
    from liveinstall.events import OnEvent
    from liveinstall.results import Plan, Result

    When = Literal["auto", "now", "restart"]
    Paths = Sequence[str | os.PathLike[str]] | os.PathLike[str]

_NOT_FOR_THE_ENGINE = ("requirements", "dry_run", "engine", "on_event", "restart", "quiet", "parallel")  # of the engine


def install(
    *requirements: RequirementLike,
    upgrade: bool = False,
    upgrade_strategy: Literal["only-if-needed", "eager"] | None = None,
    reinstall: bool = False,
    deps: bool = True,
    pre: bool = False,
    requirement_files: Paths = (),
    editable: Paths = (),
    groups: Sequence[str] = (),
    script: str | os.PathLike[str] | None = None,
    pylock: str | os.PathLike[str] | None = None,
    extras: Sequence[str] = (),
    constraints: Paths = (),
    index_url: str | None = None,
    extra_index_urls: Sequence[str] = (),
    find_links: Paths = (),
    no_index: bool = False,
    only_binary: Sequence[str] = (),
    no_binary: Sequence[str] = (),
    require_hashes: bool = False,
    user: bool = False,
    break_system_packages: bool = False,
    config_settings: Mapping[str, str | Sequence[str]] | Sequence[str] = (),
    pip_arguments: Sequence[str] = (),
    when: When = "auto",
    overlap: Literal["allow", "refuse"] = "allow",
    dry_run: bool = False,
    timeout: float | None = None,
    engine: str = "auto",
    prefer: Literal["newest", "loaded"] = "newest",
    requester: str | None = None,
    protect: Sequence[str] = (),
    verify: bool | None = None,
    on_event: OnEvent = None,
    restart: Literal["never", "ask", "auto"] = "never",
    quiet: bool | None = None,
    parallel: bool = False,
) -> Result:
    """Install into the running environment without breaking what is running.

    What is new, or what nobody has loaded, is there on the next line; what would disturb a live process is staged
    and swapped in when Python next starts.

    Parameters: `requirements` are PEP 508 strings, `packaging` Requirements, URLs, or paths of wheels, source archives
    and projects. `requirement_files`, `groups` (`NAME` or `PATH/pyproject.toml:NAME`), a `script` with its metadata and
    a `pylock` file (with `extras` and `groups` of it) say it too; `editable` projects are used where they lie.
    `constraints` are files or requirement strings. The other options are pip's, and pip's own configuration is
    honoured; `pip_arguments` are handed to it, except for what would change where or what is installed.
    `when="now"` refuses to wait (RestartRequiredError, nothing changed), `"restart"` makes everything wait.
    Where two distributions bring a file with different contents, the one that is installed last has it, the result's
    `overlaps` names it, and the other's is kept; `overlap="refuse"` refuses any file of another (FileConflictError).
    `dry_run` decides and changes nothing. `timeout`: seconds for the lock, and again for the engine.
    `prefer="loaded"` tries first to do with the versions that live processes have loaded, so that nothing has to wait,
    and says what was given up for that. `requester` names who asks, for hosts with plugins: it is recorded, and what
    requesters have asked for is solved together with each later request. `protect`: requirements of the host that this
    request may not break; both are refused with ProtectedError, which says who asked for what.
    `verify` imports every top-level module of what changes, and of what is loaded and needs it, in a trial, before
    anything is accepted; without it the environment variable LIVEINSTALL_VERIFY decides.
    `on_event` is called with each of `liveinstall.events` as it happens, in this thread.
    `restart` says whether Python is restarted when something waits: `"ask"` asks first; where that cannot be done from
    within, a note says so.
    `quiet`: where a person is at a prompt, what takes longer than half a second shows its progress. True shows nothing,
    False shows it also in scripts, on stderr.
    `parallel` puts all of it, with what it needs, beside the environment instead, which stays as it is: `require()` and
    registries choose from there.

    Raises: LiveInstallError, with the environment unchanged.
    """
    options = {name: value for name, value in locals().items() if name not in _NOT_FOR_THE_ENGINE}
    if not dry_run:
        check_permitted()
    if restart not in ("never", "ask", "auto"):
        raise RequirementError(f"restart is never, ask or auto, not {restart!r}.", requirement="")
    if parallel:
        return _beside(requirements, {**options, "engine": engine}, on_event, dry_run=dry_run, quiet=quiet)
    with throttled_gc(), choose_engine(engine) as started:
        started.expect(requirements, options)
        presenter()  # loaded while the engine works
        from liveinstall._changes import install as installing
        from liveinstall.events import Reporter

        reporter = Reporter(on_event, quiet=quiet)
        result = installing.install(requirements, options, started, reporter, dry_run=dry_run)
    return presenter().after_request(result, restart)


def _beside(
    requirements: tuple[RequirementLike, ...],
    options: Mapping[str, Any],
    on_event: OnEvent,
    *,
    dry_run: bool,
    quiet: bool | None,
) -> Result:
    if dry_run:
        raise RequirementError("dry_run= and parallel=True contradict each other.", requirement="dry_run")
    from liveinstall._sidebyside.install import put_beside
    from liveinstall.events import Reporter

    return put_beside(requirements, options, Reporter(on_event, quiet=quiet))


def plan(
    *requirements: RequirementLike,
    engine: str = "auto",
    when: When = "auto",
    on_event: OnEvent = None,
    quiet: bool | None = None,
    **options: Any,
) -> Plan:
    """Decide as `install()` would, with the same options, and change nothing: no lock, no hold, no restart."""
    options.pop("restart", None)
    with throttled_gc(), choose_engine(engine) as started:
        started.expect(requirements, options)
        presenter()  # loaded while the engine works
        from liveinstall._changes import install as installing
        from liveinstall.events import Reporter

        return installing.plan(requirements, {"when": when, **options}, started, Reporter(on_event, quiet=quiet))
