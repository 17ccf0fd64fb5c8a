"""`install()` and `plan()`: plan -> stage -> commit, under the environment's lock.

Importing the modules that a request needs takes as long as starting pip. So the engine is started first, and they are
imported while it starts.
"""

from __future__ import annotations

from liveinstall._engines.select import choose_engine
from liveinstall._system.gc_throttle import throttled_gc
from liveinstall._system.presenter import presenter
from liveinstall._system.settings import check_permitted
from liveinstall.errors import ConflictError, RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from liveinstall._requirements.request import RequirementLike
    from liveinstall.events import OnEvent
    from liveinstall.results import Plan, Result

    When = Literal["auto", "now", "restart"]
    Paths = Sequence[str | os.PathLike[str]] | os.PathLike[str]

_NOT_FOR_THE_ENGINE = ("requirements", "dry_run", "engine", "on_event", "restart", "quiet", "parallel")


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
    report: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    engine: str = "auto",
    prefer: Literal["newest", "loaded"] = "newest",
    requester: str | None = None,
    protect: Sequence[str] = (),
    verify: bool | None = None,
    conflicts: Literal["ask", "refuse", "allow"] | None = None,
    on_event: OnEvent = None,
    restart: Literal["never", "ask", "auto"] = "never",
    quiet: bool | None = None,
    parallel: bool = False,
) -> Result:
    """Install into the running environment without breaking what is running.

    New distributions, and those that no running process uses, can be imported on the next line. Changes that would
    disturb a running process are staged, and applied when Python next starts. Relative paths are relative to the
    current directory. Options that are not explained in full are pip's options of the same name, and pip's
    configuration applies.

    Args:
        *requirements: PEP 508 strings, `packaging` Requirements, URLs, or paths of wheels, source archives and
            projects.
        upgrade: Upgrade the named distributions to the newest allowed version. Default: keep satisfying versions.
        upgrade_strategy: Which dependencies `upgrade` upgrades: "only-if-needed" (the default) or all ("eager").
        reinstall: Install distributions again even if they are up to date (pip's `--force-reinstall` and, because
            installed files are never overwritten in place, its `--ignore-installed`).
        deps: Install dependencies too. False is pip's `--no-deps`.
        pre: Allow pre-release and development versions.
        requirement_files: Paths of requirements files.
        editable: Paths of projects to install in editable mode (PEP 660).
        groups: Dependency groups (PEP 735), `NAME` or `PATH/pyproject.toml:NAME`; with `pylock` the groups of that
            file.
        script: The path of a script whose inline metadata (PEP 723) lists requirements.
        pylock: The path of a lock file (PEP 751) to install from.
        extras: Extras of the `pylock` file to install.
        constraints: Paths of constraints files, or requirement strings.
        index_url: The URL of the package index. Default: the configured one, else PyPI.
        extra_index_urls: URLs of additional package indexes.
        find_links: Directories, or URLs of pages, in which to look for archives.
        no_index: Use no package index, only `find_links`.
        only_binary: Names of distributions that may only be installed from wheels; ":all:" for all.
        no_binary: Names of distributions that may only be built from source; ":all:" for all.
        require_hashes: Require a hash for every requirement.
        user: Install into the user site-packages directory.
        break_system_packages: Allow changes of an environment that another package manager manages (PEP 668).
        config_settings: Settings for build backends (PEP 517): a mapping, or strings of the form `KEY=VALUE`.
        pip_arguments: Further command line arguments for pip, except those that change what is installed, or where.
        when: "now" raises RestartRequiredError if a change would have to be pending, "restart" makes all changes
            pending, "auto" (the default) decides for each change.
        overlap: What happens if two distributions have a file with different contents: "allow" (the default): the one
            that is installed last wins, `overlaps` of the result names it, and the other file is kept; "refuse":
            FileConflictError for any file of another distribution.
        dry_run: Plan only, and change nothing.
        report: The path of a file for pip's installation report (version 1, JSON) of the resolved distributions; "-"
            for standard output. It is written before anything is changed, even with `dry_run`. Default: none.
        timeout: Seconds to wait for the lock, and again for the engine. Default: 60 for the lock, no limit for the
            engine.
        engine: The resolver: "pip", "uv", or "auto" (the default): uv if it manages the environment, or if it is found
            and pip would do the same; else pip. `engine` and `engine_reason` of the result say which one, and why.
        prefer: "loaded" first tries to keep the versions that running processes have loaded, so that no change has to
            be pending; notes list the newer versions that were not chosen. Default: "newest".
        requester: The name of the plugin or other requester. Its requirements are recorded, and every later request has
            to satisfy them, too. Default: none.
        protect: Requirements of the host application that this request may not break.
        verify: Import each top-level module of the changed distributions, and of loaded ones that depend on them, in a
            preview before anything is changed. Default: the environment variable LIVEINSTALL_VERIFY.
        conflicts: What to do if installed distributions would break, because they do not allow the new versions: "ask"
            the user, and refuse if that is impossible; "refuse": ConflictError; "allow", as pip: `conflicts` of the
            result names them. Default: the environment variable LIVEINSTALL_CONFLICTS, else "ask" in notebooks and at
            prompts, and "allow" in scripts and on the command line.
        on_event: Called in this thread with each event of `liveinstall.events`.
        restart: Whether to restart Python if changes are pending: "never" (the default), "ask" the user, or "auto". If
            the front end does not support that, a note of the result says so.
        quiet: True shows no progress, False shows it even in scripts, on stderr. Default: at a prompt, if the request
            takes longer than half a second.
        parallel: Install into the side-by-side store, for `require()` and registries, and leave the environment as is.

    Returns:
        The changes that were made, those that are pending, and notes.

    Raises:
        RequirementError: A requirement or an option is invalid.
        TargetError: The environment cannot be modified; NotWritableError and ExternallyManagedError say why.
        DisabledError: The environment variable LIVEINSTALL_DISABLE is set.
        ResolutionError: No set of versions satisfies the requirements.
        ProtectedError: The request would break a requirement of `protect` or of another requester.
        ConflictError: Installed distributions would break; see `conflicts`.
        EngineError: The engine failed; DownloadError, BuildError and EngineTimeoutError say how.
        RestartRequiredError: `when="now"` is given, and a change would disturb a running process.
        VerificationError: A module cannot be imported in the preview.
        LockTimeoutError: Another process is changing the environment.
        LiveInstallError: Any other failure; the base class of the above. The environment is unchanged in every case.
    """
    options = {name: value for name, value in locals().items() if name not in _NOT_FOR_THE_ENGINE}
    if not dry_run:
        check_permitted()
    if restart not in ("never", "ask", "auto"):
        raise RequirementError(f"restart must be never, ask or auto, not {restart!r}.", requirement="")
    if parallel:
        return _install_side_by_side(
            requirements, {**options, "engine": engine}, on_event, dry_run=dry_run, quiet=quiet
        )
    result = _install(requirements, options, engine, on_event, dry_run=dry_run, quiet=quiet)
    return presenter().after_request(result, restart)


def _install(
    requirements: tuple[RequirementLike, ...],
    options: Mapping[str, Any],
    engine: str,
    on_event: OnEvent,
    *,
    dry_run: bool,
    quiet: bool | None,
) -> Result:
    """Install; if the user has to decide about conflicts, ask when the lock is free, and resolve again."""
    from liveinstall._system.own_bytecode import compiling  # it loads `subprocess`, as the engine does

    accepted: tuple[str, ...] = ()
    needed = None if dry_run else options
    while True:
        try:
            with compiling(), throttled_gc(), choose_engine(engine, requirements, needed) as started:
                started.expect(requirements, options)
                presenter()  # loaded while the engine works
                from liveinstall._changes import install as installing
                from liveinstall.events import Reporter

                reporter = Reporter(on_event, quiet=quiet)
                return installing.install(requirements, options, started, reporter, dry_run=dry_run, accepted=accepted)
        except ConflictError as error:
            if not reporter.asks:
                raise
            fitting = presenter().consent(error)
            if fitting is None:
                reporter.asks = False
                with reporter:  # which reports the failure
                    raise
            requirements, accepted = (fitting, accepted) if fitting else (requirements, (*accepted, *error.conflicts))


def _install_side_by_side(
    requirements: tuple[RequirementLike, ...],
    options: Mapping[str, Any],
    on_event: OnEvent,
    *,
    dry_run: bool,
    quiet: bool | None,
) -> Result:
    for name, given in (("dry_run", dry_run), ("report", options["report"] is not None)):
        if given:
            raise RequirementError(
                f"{name}= and parallel=True contradict each other.", todo="Omit one of them.", requirement=name
            )
    options = {name: value for name, value in options.items() if name != "report"}
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
    """Plan what `install()` would do with the same options, and change nothing: no lock, no hold, no restart.

    Args:
        *requirements: As for `install()`.
        engine: As for `install()`.
        when: As for `install()`.
        on_event: As for `install()`.
        quiet: As for `install()`.
        **options: Other options of `install()`; `restart` is ignored.

    Returns:
        The changes with their timing.

    Raises:
        LiveInstallError: As for `install()`.
    """
    options.pop("restart", None)
    with throttled_gc(), choose_engine(engine) as started:
        started.expect(requirements, options)
        presenter()  # loaded while the engine works
        from liveinstall._changes import install as installing
        from liveinstall.events import Reporter

        return installing.plan(requirements, {"when": when, **options}, started, Reporter(on_event, quiet=quiet))
