"""Frames of polars: they are kept in Arrow's IPC format, because each version of polars only loads its own pickles."""

from __future__ import annotations

import io
import pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FRAME, _SERIES = "polars.dataframe.frame.DataFrame", "polars.series.series.Series"


def reduced(value: Any) -> tuple[Any, ...] | None:
    """Reduce a frame or a series for a pickle with buffers; None for all other objects, and for columns of objects.

    Args:
        value: The object.
    """
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if name not in (_FRAME, _SERIES):
        return None
    stream = io.BytesIO()
    try:
        (value if name == _FRAME else value.to_frame()).write_ipc(stream)
    except Exception:  # noqa: BLE001  any error of polars: then its own pickle is tried
        return None
    return frame, (pickle.PickleBuffer(stream.getbuffer()), name == _SERIES)


def frame(data: Any, is_series: bool) -> Any:
    """Return the frame or the series; the inverse of `reduced()`."""
    from importlib import import_module

    found = import_module("polars").read_ipc(io.BytesIO(data))
    return found.to_series() if is_series else found
