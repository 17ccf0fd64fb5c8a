"""The public names, for type checkers: compared with `__init__.py` by a test."""

from collections.abc import Sequence

from liveinstall import cluster as cluster
from liveinstall import errors as errors
from liveinstall import events as events
from liveinstall import homes as homes
from liveinstall import hosts as hosts
from liveinstall import owners as owners
from liveinstall import registries as registries
from liveinstall import results as results
from liveinstall._frontends.jupyter.magic import give_back_pip as give_back_pip
from liveinstall._frontends.jupyter.magic import load_ipython_extension as load_ipython_extension
from liveinstall._frontends.jupyter.magic import take_over_pip as take_over_pip
from liveinstall._frontends.jupyter.magic import unload_ipython_extension as unload_ipython_extension
from liveinstall._frontends.prompt import repl as repl
from liveinstall._frontends.restart.recovery import recover as recover
from liveinstall._frontends.restart.restart import restart as restart
from liveinstall._system.package import __version__ as __version__
from liveinstall._verbs.aio import aensure as aensure
from liveinstall._verbs.aio import ainstall as ainstall
from liveinstall._verbs.aio import aplan as aplan
from liveinstall._verbs.aio import aundo as aundo
from liveinstall._verbs.aio import auninstall as auninstall
from liveinstall._verbs.ensure import ensure as ensure
from liveinstall._verbs.hold import guard as guard
from liveinstall._verbs.hold import hold as hold
from liveinstall._verbs.inspection import check as check
from liveinstall._verbs.inspection import freeze as freeze
from liveinstall._verbs.inspection import list as list
from liveinstall._verbs.install import install as install
from liveinstall._verbs.install import plan as plan
from liveinstall._verbs.pending import cancel as cancel
from liveinstall._verbs.pending import finalize as finalize
from liveinstall._verbs.pending import pending as pending
from liveinstall._verbs.repair import doctor as doctor
from liveinstall._verbs.repair import repair as repair
from liveinstall._verbs.require import require as require
from liveinstall._verbs.status import status as status
from liveinstall._verbs.trial import trial as trial
from liveinstall._verbs.undo import history as history
from liveinstall._verbs.undo import prune as prune
from liveinstall._verbs.undo import undo as undo
from liveinstall._verbs.uninstall import uninstall as uninstall
from liveinstall._verbs.versions import versions as versions
from liveinstall.errors import LiveInstallError as LiveInstallError
from liveinstall.reports import Activation as Activation
from liveinstall.reports import Check as Check
from liveinstall.reports import Finding as Finding
from liveinstall.reports import Listed as Listed
from liveinstall.reports import Past as Past
from liveinstall.reports import Status as Status
from liveinstall.reports import Trial as Trial
from liveinstall.reports import Versions as Versions
from liveinstall.results import Change as Change
from liveinstall.results import Pending as Pending
from liveinstall.results import Plan as Plan
from liveinstall.results import Result as Result

__all__ = [
    "Activation",
    "Change",
    "Check",
    "Finding",
    "Listed",
    "LiveInstallError",
    "Past",
    "Pending",
    "Plan",
    "Result",
    "Status",
    "Trial",
    "Versions",
    "aensure",
    "ainstall",
    "aplan",
    "aundo",
    "auninstall",
    "cancel",
    "check",
    "cluster",
    "doctor",
    "ensure",
    "errors",
    "events",
    "finalize",
    "freeze",
    "give_back_pip",
    "guard",
    "history",
    "hold",
    "homes",
    "hosts",
    "install",
    "owners",
    "pending",
    "plan",
    "prune",
    "recover",
    "registries",
    "repair",
    "repl",
    "require",
    "restart",
    "results",
    "status",
    "take_over_pip",
    "trial",
    "undo",
    "uninstall",
    "versions",
]

def _jupyter_server_extension_points() -> Sequence[dict[str, str]]: ...
