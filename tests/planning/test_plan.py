"""What changes for a request, over what is here and what waits."""

from __future__ import annotations

from liveinstall._model import Candidate
from liveinstall._planning.graph import Node
from liveinstall._planning.plan import PendingNode, changes_for
from liveinstall._requirements.request import parse_request

HERE, WAITING = {"alpha": Node("1.0")}, {"alpha": PendingNode(Node("1.0"))}


def changes(candidate, **options):
    return [str(c) for c in changes_for(parse_request(("alpha",), **options), [candidate], HERE, WAITING)[0]]


def test_the_version_on_disk_takes_back_what_waits_unless_it_comes_from_elsewhere():
    assert changes(Candidate("alpha", "1.0", (), requested=True)) == []
    assert changes(Candidate("alpha", "1.0", (), requested=True), reinstall=True) == ["alpha 1.0 -> 1.0"]
    elsewhere = {"url": "file:///alpha", "dir_info": {"editable": True}}
    assert changes(Candidate("alpha", "1.0", (), requested=True, direct_url=elsewhere)) == ["alpha 1.0 -> 1.0"]
