"""Values in Streamlit: text, as at prompts, and the help of all others as before."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys, types
module = sys.modules["streamlit.delta_generator"] = types.ModuleType("streamlit.delta_generator")
class DeltaGenerator:
    def help(self, obj=None, *, width="stretch"):
        return ("help", obj, width)
    def text(self, body):
        return ("text", body)
module.DeltaGenerator = DeltaGenerator
import liveinstall
result = liveinstall.Result(transaction="x")
liveinstall.Plan
print(DeltaGenerator().help(result), DeltaGenerator().help(3, width=5), DeltaGenerator().help())
"""


def test_values_are_shown_as_text_and_those_of_others_as_before():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "('text', 'Nothing to do.') ('help', 3, 5) ('help', None, 'stretch')\n", done.stderr
