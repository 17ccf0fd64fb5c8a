"""An engine that resolves a conflict as pip and uv do."""

from __future__ import annotations

# Like pip and uv, this engine replaces an installed version that does not fit the other requirements.
BACKTRACKS = """
from dataclasses import replace
from liveinstall._engines.select import ENGINES
class Backtracking(fake_engine.FakeEngine):
    def resolve(self, request, *arguments, **options):
        several = len(request.requirements) > 1
        return super().resolve(replace(request, upgrade=request.upgrade or several), *arguments, **options)
ENGINES["pip"] = ENGINES["uv"] = Backtracking
show = lambda done: print(json.dumps([done.conflicts, done.remedy]))
"""
