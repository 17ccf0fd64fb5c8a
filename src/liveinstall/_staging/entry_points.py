"""The commands in the entry points of a wheel."""

from __future__ import annotations

_COMMANDS = ("console_scripts", "gui_scripts")


def commands_of(text: str) -> list[tuple[str, str]]:
    """List the commands of an `entry_points.txt`, parsed as `installer` does it.

    Args:
        text: The content of the file.

    Returns:
        The name and the object reference of each.

    Raises:
        ValueError: The file cannot be parsed.
    """
    sections = _plain_sections(text)
    if sections is None:
        from configparser import ConfigParser, Error

        parser = ConfigParser(delimiters="=")
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        try:
            parser.read_string(text)
            sections = {section: dict(parser.items(section)) for section in _COMMANDS if parser.has_section(section)}
        except Error as error:
            raise ValueError(" ".join(str(error).split())) from None
    return [row for section in _COMMANDS for row in sections.get(section, {}).items()]


def _plain_sections(text: str) -> dict[str, dict[str, str]] | None:
    """The sections of an entry_points.txt as `configparser` reads them; None if it has anything but simple rows.

    Loading `configparser` takes longer than checking a small wheel.
    """
    sections: dict[str, dict[str, str]] = {}
    rows: dict[str, str] | None = None
    for line in text.split("\n"):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not line:
            continue
        if line.startswith("[") and line.endswith("]") and not equals and line[1:-1] not in ("", "DEFAULT", *sections):
            rows = sections[line[1:-1]] = {}
        elif (
            (rows is None or name in rows)
            or not (name and equals and value and line.isprintable())
            or ("%" in value or line[0] in " [#;")
        ):
            return None
        else:
            rows[name] = value
    return sections
