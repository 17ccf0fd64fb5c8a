"""A recording of a session at Python's prompt, as an animated picture: makes docs/images/terminal.svg.

`python -m integration.reports.recording [FILE]`. Its content is the output of a real terminal; only
the engine's time is shortened.
"""

from __future__ import annotations

import argparse
import html
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyte

from integration.lib.environments import ROOT, Environment, add_liveinstall, build_wheel
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.terminals import terminal

PICTURE = ROOT / "docs" / "images" / "terminal.svg"
TYPED = (
    "import liveinstall, pygments",
    'liveinstall.install("rich")  # new: at once',
    'liveinstall.install("pygments", upgrade=True)  # in use: staged',
    "pygments.__version__  # nothing has changed under this session",
    "liveinstall.restart()",
    "import pygments; pygments.__version__",
    "import liveinstall; liveinstall.undo()  # and back, offline",
)
_OLD = "pygments==2.19.1"
_COLUMNS, _ROWS = 112, 60
_PROMPT = ">>> "
_KEY, _READING, _WAITING, _END = 0.03, 1.2, 0.9, 5.0  # seconds
_WIDTH, _HEIGHT, _MARGIN = 8.4, 19, 16  # of a character, of a line, around all of it: pixels
_STYLE = """\
.back{fill:#1e1f29}.text{fill:#e6e6e6;white-space:pre}
.text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}
.typed{fill:#8be9fd}.note{fill:#ffb86c}"""

_ABOUT = (
    "A session at Python's prompt: a new package is installed at once, an upgrade is staged, applied by a restart, and "
    "undone"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that appears `seconds` after the beginning; `keys` of its characters are typed then."""

    text: str
    seconds: float
    keys: int = 0


def record() -> list[tuple[str, list[str]]]:
    """Each line that was typed, and the lines that the terminal showed after it."""
    with tempfile.TemporaryDirectory() as place:
        environment = Environment.make(Path(place) / "venv", find_python(CURRENT) or "")
        environment.add(_OLD)
        add_liveinstall(environment, build_wheel(Path(place)))
        screen = pyte.Screen(_COLUMNS, _ROWS)
        stream = pyte.ByteStream(screen)
        shown = []
        with terminal(Path(place), environment.python, "-q", PYTHON_BASIC_REPL="1") as prompt:
            prompt.until(_PROMPT)
            for typed in TYPED:
                prompt.forget()
                before = len(prompt.raw)
                prompt.type(f"{typed}\r")
                prompt.until("\n", 10)
                prompt.until(f"\n{_PROMPT}", 120) if "(" in typed or "__" in typed else prompt.until(_PROMPT)
                prompt.forget()
                screen.reset()
                stream.feed(prompt.raw[before:])
                lines = [line.rstrip() for line in screen.display]
                shown.append((typed, [line for line in lines[1:] if line and not line.startswith(_PROMPT.strip())]))
    return shown


def timed(session: list[tuple[str, list[str]]]) -> tuple[list[Line], float]:
    """The lines with their times, and the total duration."""
    lines, now = [], 0.5
    for typed, shown in session:
        lines.append(Line(_PROMPT + typed, now, len(typed)))
        now += len(typed) * _KEY + (_WAITING if shown else 0.2)
        lines.extend(Line(text, now) for text in shown)
        now += _READING if shown else 0.2
    return lines, now + _END


def draw(lines: list[Line], seconds: float) -> str:
    """The picture, repeated in a loop. With reduced motion it shows the last state."""
    width, height = _COLUMNS * _WIDTH + 2 * _MARGIN, len(lines) * _HEIGHT + 2 * _MARGIN
    rules, texts = [], []
    for number, line in enumerate(lines):
        start = 100 * line.seconds / seconds
        top = _MARGIN + number * _HEIGHT
        if line.keys:
            end = 100 * (line.seconds + line.keys * _KEY) / seconds
            begin, full = len(_PROMPT) * _WIDTH, len(line.text) * _WIDTH + 1
            rules.append(
                f"@keyframes t{number}{{0%,{start:.2f}%{{width:0}}{start + 0.01:.2f}%{{width:{begin:.0f}px}}"
                f"{end:.2f}%,100%{{width:{full:.0f}px}}}}.c{number}{{animation-name:t{number};"
                f"animation-timing-function:steps({line.keys})}}"
            )
            clip = f'<clipPath id="c{number}"><rect class="move c{number}" x="{_MARGIN}" y="{top}" '
            texts.append(f'{clip}width="{full:.0f}" height="{_HEIGHT}"/></clipPath>')
            texts.append(_text(line, top, f' clip-path="url(#c{number})"', "text typed"))
        else:
            rules.append(
                f"@keyframes t{number}{{0%,{start:.2f}%{{opacity:0}}{start + 0.01:.2f}%,100%{{opacity:1}}}}"
                f".c{number}{{animation-name:t{number}}}"
            )
            texts.append(_text(line, top, "", f"text move c{number}{' note' if 'restart' in line.text else ''}"))
    motion = f".move{{animation-duration:{seconds:.1f}s;animation-iteration-count:infinite}}"
    still = "@media (prefers-reduced-motion:reduce){.move{animation:none}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="{_ABOUT}"><style>{_STYLE}{motion}{"".join(rules)}{still}</style>\n'
        f'<rect class="back" width="{width:.0f}" height="{height}" rx="8"/>\n' + "\n".join(texts) + "\n</svg>\n"
    )


def _text(line: Line, top: float, extra: str, style: str) -> str:
    place = f'x="{_MARGIN}" y="{top + 14}" textLength="{len(line.text) * _WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text class="{style}" xml:space="preserve" {place}{extra}>{html.escape(line.text)}</text>'


def main() -> None:
    """Record, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=PICTURE)
    lines, seconds = timed(record())
    print(*(line.text for line in lines), sep="\n")
    parser.parse_args().file.write_text(draw(lines, seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
