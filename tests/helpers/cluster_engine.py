"""An engine for distributed computing that consists of objects."""

from __future__ import annotations

import asyncio

from liveinstall._cluster.decisions import Decisions
from liveinstall._cluster.participants import Member
from liveinstall._cluster.values import Lock, LockedWheel
from liveinstall._system.package import __version__

WHEEL = LockedWheel("alpha", "2.0", "alpha-2.0-py3-none-any.whl", "0" * 64, 1000, requested=True)
LOCK = Lock((WHEEL,), ("alpha>=2",), "cpython 3.12", "linux-x86_64")


class Engine:
    """Hosts with one environment each, and workers that have loaded the old version or not."""

    def __init__(self, hosts=2, workers=2, *, using=lambda _address: True):
        self.workers = {f"h{host}w{number}": f"h{host}" for host in range(hosts) for number in range(workers)}
        self.using = {address for address in self.workers if using(address)}
        self.old = set(self.using)  # those that use their loaded version
        self.states = {}  # of the change, by host
        self.asked = []
        self.fails = {}
        self.ids = {}
        self.versions = {}  # of liveinstall, by host
        self.kept = {}  # the decisions, by host
        self.armed = {}  # the ids of changes by the decision's key, by host
        self.out = 0
        self.most_out = 0
        self.told = []
        self.unrestartable = {}

    def members(self):
        return [*(Member(address) for address in self.workers), Member("scheduler", is_worker=False, can_restart=False)]

    async def ask(self, address, step, **arguments):
        self.asked.append((address, step, arguments))
        await asyncio.sleep(0)
        host = self.workers.get(address, "scheduler")
        failure = self.fails.get((step, host))
        if isinstance(failure, Exception):
            raise failure
        if failure:
            return {"error": "StagingError", "what": failure, "todo": ""}
        return getattr(self, f"on_{step}")(address, host, **arguments)

    def on_identify(self, address, host):
        facts = {"environment": self.ids.get(host, host), "site": f"/{host}", "machine": host, "pid": 1}
        facts["liveinstall"] = self.versions.get(host, __version__)
        return {**facts, "decided": self.kept.get(host, Decisions()).stamp}

    def on_decided(self, address, host):
        return {"decided": self.kept.get(host, Decisions()).as_json(), "done": list(self.armed.get(host, ()))}

    def on_mark(self, address, host, nonce):
        self.states.setdefault("marks", set()).symmetric_difference_update({(host, nonce)})
        return {}

    def on_sees(self, address, host, nonce):
        return {"sees": (host, nonce) in self.states.get("marks", ())}

    def on_fetch(self, address, host, lock, source):
        assert source == "scheduler" or ("has", self.workers.get(source)) in self.states
        self.states["has", host] = True
        return {"bytes": Lock.parse(lock).size}

    def on_prepare(self, address, host, lock, verify):
        self.states[host] = "prepared"
        return self.answer(host)

    def on_arm(self, address, host, id, key, decided):
        assert all(self.states.get(each) in ("prepared", "pending", None) for each in self.hosts())
        self.kept[host] = Decisions.from_json(decided)
        self.armed.setdefault(host, {})[key] = id
        self.states[host] = "pending"
        return self.answer(host)

    def on_revert(self, address, host, decided):
        self.kept[host] = Decisions.from_json(decided)
        known = self.armed.setdefault(host, {})
        gone = known.keys() - {item.key for item in self.kept[host].items}
        for key in gone:
            del known[key]
            self.states[host] = "dropped"
        return self.answer(host) if gone else {"id": "", "state": "current", "reason": "", "changes": []}

    def on_drop(self, address, host, id):
        self.states[host] = "dropped"
        return self.answer(host)

    def on_stale(self, address, host, names):
        is_old = (address in self.old) == (self.states.get(host) == "pending")
        return {"stale": names or ["alpha"] if address in self.using and is_old else []}

    def answer(self, host):
        reason = "used by pid 7" if self.states[host] == "pending" else ""
        return {"id": f"id-{host}", "state": self.states[host], "reason": reason, "changes": [["alpha", "1.0", "2.0"]]}

    def hosts(self):
        return {*self.workers.values(), "scheduler"}

    async def restart(self, addresses, *, patience, force):
        self.out += len(addresses)
        self.most_out = max(self.most_out, self.out)
        await asyncio.sleep(0)
        self.out -= len(addresses)
        self.old.symmetric_difference_update(set(addresses) - self.unrestartable.keys())
        return {each: why for each, why in self.unrestartable.items() if each in addresses}

    def tell(self, outcome, changed):
        self.told.append((outcome.phase, changed))

    def steps(self, step):
        return [address for address, asked, _ in self.asked if asked == step]
