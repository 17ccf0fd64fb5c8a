"""The options of `list` and `freeze`, apart from the commands, because every command line is parsed with them."""

from __future__ import annotations

from liveinstall._requirements.pip_options import add_idle_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_list_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `list`."""
    parser.add_argument(
        "--format", choices=("columns", "freeze", "json"), help="pip's formats, with names and versions only"
    )
    parser.add_argument("--not-required", action="store_true", help="only distributions that no other one depends on")
    parser.add_argument("-o", "--outdated", action="store_true", help="only those with a newer version in the index")
    parser.add_argument("--pre", action="store_true", help="with --outdated: include pre-releases")
    parser.add_argument("-i", "--index-url", metavar="URL", help="with --outdated: instead of the configured index")
    parser.add_argument("--no-index", action="store_true", help="with --outdated: use no index, only --find-links")
    parser.add_argument("--engine", default="auto", metavar="NAME", help="with --outdated: pip, uv or auto")
    for spellings, dest in ((["--extra-index-url"], "extra_index_urls"), (["-f", "--find-links"], "find_links")):
        parser.add_argument(*spellings, dest=dest, action="append", default=[], metavar="URL", help="with --outdated")
    add_choice(parser)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the options that `list` and `freeze` have in common."""
    parser.add_argument("--exclude", action="append", default=[], metavar="NAME", help="omit this distribution")
    parser.add_argument("-l", "--local", action="store_true", help="only distributions in this environment itself")
    add_idle_options(parser)
