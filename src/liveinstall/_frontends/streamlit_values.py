"""Values in Streamlit: `st.write(value)`, and a value alone on a line, show the text that prompts show.

Streamlit shows the help of any dataclass, and the method that does so is the only hook. It is wrapped here, and is
unchanged for all other values.
"""

from __future__ import annotations

import sys
from functools import wraps

from liveinstall.results import Shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MARK = "_liveinstall_shows"  # an attribute of the wrapped method


def show_values() -> None:
    """Show values as text from now on."""
    generator = getattr(sys.modules.get("streamlit.delta_generator"), "DeltaGenerator", None)
    own = getattr(generator, "help", None)
    if generator is None or own is None or hasattr(own, _MARK):
        return

    @wraps(own)
    def help_or_text(self: Any, obj: Any = None, *arguments: Any, **options: Any) -> Any:
        return self.text(str(obj)) if isinstance(obj, Shown) else own(self, obj, *arguments, **options)

    setattr(help_or_text, _MARK, True)
    generator.help = help_or_text
