"""The PYTHONSTARTUP of a prompt that a restart has opened: runs the user's own, then restores the variables.

Imports that fail because of what the restart has changed are explained from then on.
"""


def _start() -> None:
    import json
    import os
    import sys
    import tokenize

    from liveinstall._frontends.import_hints import watch
    from liveinstall._frontends.restart.recovery import restore_at_prompt
    from liveinstall._system.settings import RESTARTED

    report = json.loads(os.environ.pop(RESTARTED, "{}"))
    own = report.get("startup")
    os.environ.pop("PYTHONSTARTUP", None)
    if own:
        os.environ["PYTHONSTARTUP"] = own
        try:
            with tokenize.open(own) as stream:
                code = compile(stream.read(), own, "exec")
            exec(code, vars(sys.modules["__main__"]))  # noqa: S102  as Python itself does
        except Exception:  # noqa: BLE001  as Python itself does: the prompt opens anyway
            sys.excepthook(*sys.exc_info())
    watch()
    if "variables" in report:
        print(restore_at_prompt(report["variables"]), file=sys.stderr)


_start()
del _start
