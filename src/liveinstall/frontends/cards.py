"""A small card in a notebook: a heading in bold and a sentence; inline styles only, right in light and dark."""

from __future__ import annotations

from html import escape

_STYLE = (
    "border-left:4px solid var(--jp-brand-color1,#1976d2);padding:4px 12px;"
    "color:var(--jp-ui-font-color1,inherit);font-family:var(--jp-ui-font-family,sans-serif)"
)


def card(heading: str, text: str) -> dict[str, str]:
    """A mime bundle."""
    html = f'<div style="{_STYLE}"><b>{escape(heading)}</b> {escape(text)}</div>'
    return {"text/plain": f"{heading} {text}".rstrip(), "text/html": html}
