"""The running process of a case: `python _live.py JOB`, standard library only.

JOB is a JSON file: {"tool": "liveinstall", "pip" or "none"; "preload", "late", "bonus": code; "requirements": [...];
"constraints": [...]; "scratch", "scripts", "folder": directories; "changed": [names]}.

It runs `preload`, upgrades, writes `folder`/upgraded.json, waits for a line on its standard input, runs `late` in the
same globals and writes `folder`/late.json. Both files appear by a rename. Ends with status 0 also when code raised.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import traceback

VERSIONS = """
import importlib.metadata, json, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def upgrade_with_liveinstall(job):
    import liveinstall

    result = liveinstall.install(*job["requirements"], constraints=job["constraints"])
    return {
        "now": {change.name: change.new_version for change in result.installed},
        "staged": {change.name: change.new_version for change in result.staged},
        "conflicts": result.conflicts,
        "notes": result.notes,
        "seconds": result.seconds,
    }


def upgrade_with_pip(job):
    path = os.path.join(job["folder"], "constraints.txt")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\n".join(job["constraints"]))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-input", "-c", path, *job["requirements"]]
    subprocess.run(pip, check=True, capture_output=True, text=True)
    return {"now": {}, "staged": {}}


TOOLS = {
    "liveinstall": upgrade_with_liveinstall,
    "pip": upgrade_with_pip,
    "none": lambda job: {"now": {}, "staged": {}},
}


def child_versions(names):
    """The versions in a child of this process."""
    child = subprocess.run([sys.executable, "-c", VERSIONS, *names], capture_output=True, text=True, check=False)
    return {"status": child.returncode, "output": child.stdout, "errors": child.stderr}


def file_hashes(name):
    """path -> hash, of the files in a distribution's RECORD; empty if it is not installed."""
    try:
        files = importlib.metadata.files(name) or ()
    except importlib.metadata.PackageNotFoundError:
        return {}
    return {str(file.locate()): file.hash and file.hash.value for file in files}


def module_files():
    return {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}


def loaded_hashes(names):
    """name -> its files' hashes, of those distributions that this process has begun to use."""
    files = set(module_files().values())
    hashes = {name: file_hashes(name) for name in names}
    return {name: found for name, found in hashes.items() if files & found.keys()}


def attempt(function, *arguments):
    """The return value of `function`, and its error."""
    try:
        return function(*arguments), None
    except (Exception, SystemExit) as error:
        said = getattr(error, "stderr", None)  # pip's own words
        return None, {"type": type(error).__name__, "words": str(said or error), "trace": traceback.format_exc()}


def write(folder, name, value):
    draft = os.path.join(folder, name + ".draft")
    with open(draft, "w", encoding="utf-8") as stream:
        json.dump(value, stream)
    os.replace(draft, os.path.join(folder, name))


def mixed_modules(before, modules):
    """Modules that were loaded after the upgrade, from files that it changed under a distribution in use."""
    changed = {path for name, old in before.items() for path, new in file_hashes(name).items() if old.get(path) != new}
    return sorted(name for name, path in module_files().items() if name not in modules and path in changed)


def run(job):
    scope = {"__name__": "case", "SCRATCH": job["scratch"], "BIN": job["scripts"]}
    exec(compile(job["preload"], "<preload>", "exec"), scope)
    before, modules = loaded_hashes(job["changed"]), module_files()
    result, error = attempt(TOOLS[job["tool"]], job)
    upgraded = {"result": result, "error": error, "child": child_versions(job["changed"]), "bonus": None}
    if job["bonus"] and result and not result["staged"]:
        _, upgraded["bonus"] = attempt(exec, job["bonus"], {})
    write(job["folder"], "upgraded.json", upgraded)
    sys.stdin.readline()
    _, error = attempt(exec, compile(job["late"], "<late>", "exec"), scope)
    seen = json.loads(child_versions(job["changed"])["output"] or "{}")
    write(job["folder"], "late.json", {"error": error, "mixed": mixed_modules(before, modules), "seen": seen})


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as job_file:
        run(json.load(job_file))
