"""The project that a misspelt name probably means: one that is installed, or that very many people install.

Nothing is looked up: an index has projects under misspelt names of others, made to deceive.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ALIKE = 0.8  # of difflib's ratio, which is 1 for equal names
_POPULAR = """
aiohttp altair anthropic attrs beautifulsoup4 black bokeh boto3 celery certifi click cryptography dask django
docker duckdb fastapi flask gunicorn httpx huggingface-hub ipython jax jinja2 jupyterlab keras lightgbm lxml
matplotlib mypy networkx nltk numba numpy openai opencv-python openpyxl pandas pillow plotly poetry polars
psycopg pyarrow pydantic pygments pymongo pyside6 pytest python-dateutil pyyaml ray redis requests rich ruff
scikit-image scikit-learn scipy seaborn selenium sqlalchemy statsmodels streamlit sympy tensorflow tokenizers
torch torchvision tornado tqdm transformers typer urllib3 uvicorn virtualenv werkzeug xarray xgboost
"""
# Projects whose import names are other ones: import name, project.
_IMPORTED = """
attr attrs; bs4 beautifulsoup4; crypto pycryptodome; cv2 opencv-python; dateutil python-dateutil; docx python-docx
dotenv python-dotenv; fitz pymupdf; git gitpython; google-protobuf protobuf; jose python-jose; jwt pyjwt
magic python-magic; mpl-toolkits matplotlib; mysqldb mysqlclient; openssl pyopenssl; osgeo gdal; pil pillow
pptx python-pptx; psycopg2 psycopg2-binary; serial pyserial; skimage scikit-image; sklearn scikit-learn
slugify python-slugify; usb pyusb; wx wxpython; yaml pyyaml; zmq pyzmq
"""


def project_of(name: str) -> str:
    """Find the project that has a name as its import name.

    Args:
        name: The normalized name.

    Returns:
        The project's normalized name; empty if it is not known, or is the same.
    """
    pairs = (pair.split() for pair in _IMPORTED.replace("\n", ";").split(";") if pair.strip())
    return dict(pairs).get(name, "")


def similar(name: str, installed: Iterable[str], *, popular: bool = True) -> str:
    """Find the project that a misspelt name probably means.

    Args:
        name: The normalized name.
        installed: The normalized names of the installed distributions.
        popular: Whether it may be one that is not installed.

    Returns:
        Its normalized name; empty if there is none, or if the name is not misspelt.
    """
    from difflib import get_close_matches  # only after a failure

    known = {*installed, *(_POPULAR.split() if popular else ())}
    return "" if name in known else next(iter(get_close_matches(name, sorted(known), 1, _ALIKE)), "")
