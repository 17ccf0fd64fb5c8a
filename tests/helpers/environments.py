"""Small wheels, separate environments, and a running process in them: all of it offline."""

from __future__ import annotations

import atexit
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import installer
import packaging

from helpers.capabilities import has_links

SOURCE = Path(__file__).parents[2] / "src"
# The variables of whoever runs the tests, an activated virtual environment included.
_OF_WHO_TESTS = ("PYTHON", "LIVEINSTALL", "PIP_", "COVERAGE", "VIRTUAL_ENV", "CONDA")


def record_row(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    quoted = f'"{path}"' if "," in path else path
    return f"{quoted},sha256={digest},{len(content)}\n"


def make_wheel(
    directory: Path,
    name: str,
    version: str,
    files: dict[str, str | bytes] | None = None,
    *,
    requires: tuple[str, ...] = (),
    scripts: dict[str, str] | None = None,
    purelib: bool = True,
) -> Path:
    """A wheel with the given files (default: one module with its version); `scripts`: name -> module:attr."""
    module = name.replace("-", "_").lower()
    if files is None:
        files = {f"{module}/__init__.py": f"__version__ = {version!r}\n", f"{module}/late.py": f"V = {version!r}\n"}
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    content = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    content[f"{info}/METADATA"] = ("\n".join(lines) + "\n").encode()
    root = str(purelib).lower()
    content[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: {root}\nTag: py3-none-any\n".encode()
    )
    if scripts:
        rows = "".join(f"{script} = {target}\n" for script, target in scripts.items())
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{rows}".encode()
    record = "".join(record_row(path, data) for path, data in content.items()) + f"{info}/RECORD,,\n"
    content[f"{info}/RECORD"] = record.encode()
    path = directory / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in content.items():
            archive.writestr(entry, data)
    return path


def tree(root: Path, *, ignore: tuple[str, ...] = (".liveinstall", "__pycache__")) -> dict[str, str]:
    """The files below `root`: path -> content's hash, link target, or 'dir' for an empty directory."""
    found = {}
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in ignore]
        here = Path(directory)
        if not names and not files and here != root:
            found[here.relative_to(root).as_posix()] = "dir"
        for name in files:
            path = here / name
            data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            found[path.relative_to(root).as_posix()] = hashlib.sha256(data).hexdigest()[:12]
    return found


def caches_in(directory: Path) -> dict[str, str]:
    """The environment variable by which caches of the user are in this directory."""
    return {"LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME": str(directory)}


@dataclass
class Environment:
    """A venv without pip whose interpreters find liveinstall, its libraries and a fake engine on PYTHONPATH."""

    root: Path
    wheels: Path

    @property
    def python(self) -> Path:
        return self.root / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def script(self, name: str) -> Path:
        """The launcher of an entry point."""
        return self.python.with_name(name + (".exe" if os.name == "nt" else ""))

    def script_text(self, name: str) -> str:
        """The code that it runs, which Windows' launchers have in an archive at their end."""
        if os.name != "nt":
            return self.script(name).read_text()
        with zipfile.ZipFile(self.script(name)) as archive:
            return archive.read("__main__.py").decode()

    @property
    def site(self) -> Path:
        return self.root / "Lib/site-packages" if os.name == "nt" else next(self.root.glob("lib/python*/site-packages"))

    def put_liveinstall_in(self) -> None:
        """Put liveinstall and the fake engine into site-packages, for processes without PYTHONPATH."""
        for source in (SOURCE / "liveinstall", SOURCE / "_liveinstall_boot", self.root / "libraries/fake_engine.py"):
            target = self.site / source.name
            if has_links():
                target.symlink_to(source)
            else:
                (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)

    def wheel(self, *args, **options) -> Path:
        return make_wheel(self.wheels, *args, **options)

    def variables(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_WHO_TESTS)}
        libraries = [str(self.root / "libraries"), *([] if has_links() else [_copied_libraries()])]
        own = {"PYTHONPATH": os.pathsep.join(libraries), "WHEELS": str(self.wheels), "LIVEINSTALL_NO_CACHE": "1"}
        return {**kept, **own, **more}

    def start(self, code: str, *arguments: str, **more: str) -> subprocess.Popen:
        command = [str(self.python), *arguments, "-c", _PRELUDE + textwrap.dedent(code)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.variables(**more), stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def run(self, code: str, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        """Run code that may use `li` (liveinstall, with the fake engine)."""
        process = self.start(code, *arguments, **more)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def bare(self, code: str, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        """Run code in an interpreter that cannot import liveinstall."""
        variables = self.variables(**more)
        del variables["PYTHONPATH"]
        command = [str(self.python), *arguments, "-c", textwrap.dedent(code)]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)

    def json(self, code: str, **more: str) -> dict:
        """The JSON that the code printed; it must succeed, with no output on stderr."""
        done = self.run(code, **more)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return json.loads(done.stdout)

    def versions(self) -> dict[str, str]:
        names = [path.name.removesuffix(".dist-info") for path in self.site.glob("*.dist-info")]
        return {name.rpartition("-")[0]: name.rpartition("-")[2] for name in names}

    def leftovers(self) -> list[str]:
        names = [path.name for path in self.site.iterdir()]
        return [name for name in names if ".part" in name or name.startswith("_liveinstall_finalizer")]


_PRELUDE = "import json, sys, os\nimport liveinstall as li\nimport fake_engine\n"

FAKE_ENGINE = '''
"""Resolves by taking the newest wheel in $WHEELS that fits; every requirement of it too."""
import os, sys, zipfile
from email.parser import HeaderParser
from pathlib import Path
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from liveinstall.errors import ResolutionError
from liveinstall._model import Candidate
from liveinstall._environment.installed import in_directory, installed
from liveinstall._engines.select import ENGINES

def requires_of(wheel):
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            return HeaderParser().parsestr(archive.read(entry)[:10000].decode()).get_all("Requires-Dist", ())
    except Exception:  # a hostile one: the policy refuses it
        return ()

def applying(lines, extras):
    """The requirements whose markers hold, with these extras."""
    for line in lines:
        marker = Requirement(line).marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield line

class FakeEngine:
    unpacks = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def fresh(self):
        return type(self)()

    def keep(self):
        pass

    def expect(self, requirements, options):
        pass

    def sources(self):
        return {}

    def warnings(self):
        return ()

    def resolve(self, request, view, directory, *, fetch, tell, listed=False):
        here = {k: v.version for k, v in installed().items() if v.info not in view.hidden}
        for part in view.parts:
            here |= {found.name: found.version for found in in_directory(part)}
        chosen = {}
        pins = dict(text.split("==") for text in request.constraints if "==" in text)
        queue = [(text, True) for text in request.requirements]
        while queue:
            text, asked = queue.pop(0)
            path = Path(text) if text.endswith(".whl") else None
            requirement = Requirement(text) if path is None else None
            name = canonicalize_name(requirement.name if requirement else path.name.partition("-")[0])
            def fits(version, pin=pins.get(name), requirement=requirement):
                wanted = requirement is None or requirement.specifier.contains(version, prereleases=True)
                return wanted and pin in (None, str(version))
            extras = requirement.extras if requirement else ()
            if name in chosen or (name in here and fits(here[name]) and path is None
                                  and not (asked and (request.upgrade or request.reinstall))):
                if extras and name in installed():
                    queue += [(line, False) for line in applying(installed()[name].requires, extras) if "extra" in line]
                continue
            found = [path] if path else [w for w in Path(os.environ["WHEELS"]).glob("*.whl")
                if parse_wheel_filename(w.name)[0] == name and fits(parse_wheel_filename(w.name)[1])]
            if not found:
                raise ResolutionError(f"nothing fits {text}.", log="")
            best = path or max(found, key=lambda w: parse_wheel_filename(w.name)[1])
            version = best.name.split("-")[1]
            if here.get(name) == version and not request.reinstall and path is None:
                continue
            requires = tuple(requires_of(best))
            chosen[name] = Candidate(name, version, requires, requested=asked, wheel=str(best))
            if request.deps:
                queue += [(line, False) for line in applying(requires, extras)]
        return list(chosen.values())

ENGINES["pip"] = ENGINES["uv"] = FakeEngine
'''


_SOURCES = [
    *(Path(module.__file__).parent for module in (installer, packaging)),
    *(SOURCE / name for name in ("liveinstall", "_liveinstall_boot")),
]


@cache
def _copied_libraries() -> str:
    """Without links: copies, made once for all environments of this process."""
    directory = tempfile.mkdtemp(prefix="libraries-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    for source in _SOURCES:
        shutil.copytree(source, Path(directory, source.name))
    return directory


def make_environment(root: Path) -> Environment:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    libraries = root / "libraries"
    libraries.mkdir()
    for source in _SOURCES if has_links() else ():
        (libraries / source.name).symlink_to(source)
    (libraries / "fake_engine.py").write_text(FAKE_ENGINE, encoding="utf-8")
    return Environment(root, root / "wheels")
