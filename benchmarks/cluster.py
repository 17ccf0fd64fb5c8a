"""An upgrade of numpy on a running Dask cluster under load: `liveinstall.cluster` and Dask's own `PipInstall`.

Hosts are environments with caches of their own on this machine; wheels come from a server on 127.0.0.1.
"""

from __future__ import annotations

import shutil
import statistics
import threading
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import Options, Workshop, run_alone
from benchmarks.measure import Section, Verdict, interleaved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.common import Environment

TOOLS = ("liveinstall", "PipInstall")
HOSTS, WORKERS, TASKS, SECONDS = 2, 2, 30, 2.0
OLD, NEW = "1.26.4", "2.2.6"


def measure(place: Workshop, options: Options) -> list[Section]:
    """Measure both tools in turn, each time with new environments."""
    place.wheels.joinpath("cluster").mkdir()
    wheels = place.wheels / "cluster"
    place.run(place.template.python, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), f"numpy=={NEW}")
    model = place.copy(place.template)
    place.run(place.uv, "pip", "install", "-q", "--python", model.python, "distributed", "cloudpickle", f"numpy=={OLD}")
    with _server(wheels) as (url, sent):
        arms = {tool: partial(_once, place, model, tool, url, sent) for tool in TOOLS}
        rounds = options.count(3, 1)
        return [_section(interleaved(arms, rounds), rounds, next(wheels.glob("numpy*")).stat().st_size)]


@contextmanager
def _server(wheels: Path) -> Iterator[tuple[str, list[int]]]:
    """A page of links, and a list of the sizes of everything that it has sent."""
    sent: list[int] = []

    class Handler(SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            with suppress(BrokenPipeError):  # pip reads only the beginning of a wheel at first
                sent.append(outputfile.write(source.read()))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(wheels)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", sent
    finally:
        server.shutdown()
        server.server_close()


def _once(place: Workshop, model: Environment, tool: str, url: str, sent: list[int]) -> dict[str, Any]:
    environments = [place.copy(model) for _ in range(HOSTS + 2)]
    folder = place.path / f"cluster-{next(place.numbers)}"
    folder.mkdir()
    before, sent[:] = sum(map(_size, (each.path for each in environments))), []
    scheduler, client, *hosts = environments
    facts = {"scheduler": scheduler.python, "hosts": [each.python for each in hosts], "folder": str(folder)}
    load = {"workers": WORKERS, "tasks": TASKS, "seconds": SECONDS}
    answer = place.ask(client, "cluster", tool=tool, url=url, **facts, **load)
    for each in (scheduler, *hosts):  # their next start swaps
        place.run(each.python, "-c", "pass")
    caches = sum(map(_size, folder.glob("cache-*")))
    after = sum(_size(each.path) for each in environments)
    for each in environments:
        each.discard()
    shutil.rmtree(folder)
    return {**answer, "bytes": sum(sent), "disk": after - before + caches}


def _size(path: Path) -> int:
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())


def _section(found: Mapping[str, list[dict[str, Any]]], rounds: int, wheel: int) -> Section:
    def median(tool: str, fact: str) -> float:
        return statistics.median(answer[fact] for answer in found[tool])

    rows = [
        [
            tool,
            f"{median(tool, 'seconds'):.1f}",
            f"{median(tool, 'bytes') / 1e6:.1f}",
            f"{median(tool, 'disk') / 1e6:.0f}",
            f"{median(tool, 'failed'):.0f}",
            f"{median(tool, 'again'):.0f}",
        ]
        for tool in TOOLS
    ]
    lost = sum(answer["failed"] + answer["again"] for answer in found["liveinstall"])
    downloaded = median("liveinstall", "bytes") / wheel
    return Section(
        "A Dask cluster: an upgrade of numpy under load",
        f"Medians of {rounds}: seconds from the request until all {HOSTS * WORKERS} workers on {HOSTS} hosts have "
        f"numpy {NEW} instead of {OLD}, while they run {TASKS} tasks of {SECONDS:.0f} s that load more of numpy at "
        "their end; MB from the index, and on disk (environments and caches, with the old files that liveinstall keeps "
        "for `undo()`); tasks that raised an exception, and tasks that were started again. PipInstall with "
        "`restart_workers=True`.",
        ("tool", "seconds", "MB downloaded", "MB on disk", "tasks failed", "tasks run again"),
        rows,
        (
            Verdict("liveinstall fails and repeats no task", str(lost), lost == 0),
            Verdict("liveinstall downloads each wheel once", f"{downloaded:.2f} wheels", downloaded < 1.1),
        ),
    )


if __name__ == "__main__":
    run_alone(measure, __doc__)
