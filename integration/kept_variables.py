"""Real objects over a restart of a real kernel that upgrades their packages: `nox -s variables-3.11|3.12|3.13`.

Each case has an environment of its own. Its file is named without `test_`, so that only that session runs all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.lib import live_kernels
from integration.lib.environments import Environment, NotOfferedError, add_liveinstall
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.live_kernels import Kernel, kernel_of

# The old versions, and other ones where these have no wheels for the Python.
_PINS = {"numpy": "1.26.4", "pandas": "2.1.4", "scikit-learn": "1.4.2", "scipy": "1.12.0", "torch": "2.4.1"}
_PINS |= {"matplotlib": "3.10.0", "sympy": "1.12", "polars": "1.9.0"}
_LATER_PINS = {"numpy": "2.1.0", "pandas": "2.2.3", "scikit-learn": "1.5.2", "scipy": "1.14.1", "torch": "2.5.1"}
OLD = _PINS if CURRENT in ("3.11", "3.12") else {**_PINS, **_LATER_PINS}


@dataclass(frozen=True)
class Case:
    """`before`: what is installed; `upgrade`: the request; `setup` and `check`: cells before and after the restart."""

    before: tuple[str, ...]  # names in `OLD`
    upgrade: tuple[str, ...]
    setup: str
    check: str


_NUMPY = """
import numpy as np
from numpy.random import default_rng
a = np.arange(100_000.); view = a[10:]; step = a[::7]; back = a[::-1]; two = a.reshape(100, 1000).T[3:9]
words = np.array(['a', 'bc']); things = np.array([{}, None], dtype=object); dates = np.array(['2026-01-01'], 'M8[D]')
rec = np.rec.array([(1, 2.)], dtype=[('x', int), ('y', float)]); matrix = np.matrix([[1, 2]])
masked = np.ma.masked_less(np.arange(5), 3); fortran = np.asfortranarray(np.ones((30, 20))); empty = np.empty((0, 4))
rng = default_rng(5); _ = rng.random(3); old = np.random.RandomState(5); function = np.sin; scalar = np.float32(1.5)
poly = np.polynomial.Polynomial([1, 2]); kind = np.dtype([('x', 'i4')])
frozen = np.arange(5); frozen.flags.writeable = False
"""
_NUMPY_AFTER = """
assert rng.random() == default_rng(5).random(4)[3]
assert old.rand() == np.random.RandomState(5).rand() and masked.sum() == 7 and poly(1) == 3 and things[0] == {}
assert fortran.flags.f_contiguous and empty.shape == (0, 4) and function(0) == 0 and scalar == 1.5
assert not frozen.flags.writeable and rec.y[0] == 2 and str(dates[0]) == '2026-01-01' and kind['x'] == 'i4'
assert all(np.shares_memory(a, each) for each in (view, step, back, two)), 'memory is not shared'
a[:] = 3; assert set(view) | set(step) | set(back) | set(two.ravel()) == {3.0}
"""
_PANDAS = """
import numpy as np, pandas as pd
df = pd.DataFrame({'a': range(1000), 'b': pd.date_range('2026', periods=1000), 'c': ['x', 'y'] * 500})
same = df; part = df[100:]; column = df['a']; sums = df.groupby('c').a.sum(); wide = df.set_index(['c', 'a'])
kinds = df.c.astype('category'); text = df.c.astype('string'); zone = df.b.dt.tz_localize('UTC')
spans = pd.period_range('2026', periods=3, freq='D'); bins = pd.cut(df.a, 3); number = df.a.astype('Int64')
sparse = pd.arrays.SparseArray([0, 0, 1]); stamp = pd.Timestamp('2026-01-01'); values = df[['a']].values
"""
_PANDAS_AFTER = """
assert int(pd.__version__[0]) >= 3 and same is df and df.a.sum() == 499500 and len(part) == 900
assert sums['x'] == 249500 and wide.index.nlevels == 2 and list(kinds.cat.categories) == ['x', 'y']
assert str(zone.dt.tz) == 'UTC' and text[0] == 'x' and len(spans) == 3 and bins.cat.ordered
assert number.sum() == 499500 and sparse.density < 0.5 and stamp.year == 2026 and values.sum() == 499500
part.iloc[0, 0] = -1; assert df.a[100] == 100, 'a change of one frame has changed another'
assert df.describe().shape[0] == 8 and df.merge(df, on='a').shape[0] == 1000
"""
_SKLEARN = """
import numpy as np, sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import LogisticRegression
from sklearn.ensemble import RandomForestClassifier
from sklearn.cluster import KMeans
from sklearn.svm import SVC
X = np.random.default_rng(1).random((300, 4)); y = (X.sum(1) > 2).astype(int)
pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y); forest = RandomForestClassifier(10).fit(X, y)
means = KMeans(3, n_init=1).fit(X); svc = SVC().fit(X, y)
expected = [each.predict(X) for each in (pipe, forest, means, svc)]
"""
_SKLEARN_AFTER = """
for each, wanted in zip((pipe, forest, means, svc), expected): assert (each.predict(X) == wanted).all()
"""
_TORCH = """
import torch, numpy as np
t = torch.arange(1000.); view = t[10:]; param = torch.nn.Parameter(torch.ones(3)); grad = (param * 2).sum()
grad.backward(); net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
adam = torch.optim.Adam(net.parameters()); state = net.state_dict(); sparse = torch.eye(3).to_sparse()
half = torch.ones(3, dtype=torch.bfloat16); x = torch.ones(1, 4); wanted = net(x).item(); del grad
"""
_TORCH_AFTER = """
assert t.sum() == 499500 and view[0] == 10 and param.grad is None
assert net(x).item() == wanted and half.dtype is torch.bfloat16 and sparse.to_dense().trace() == 3
assert adam.param_groups[0]['params'][0] is next(net.parameters()), 'the optimiser has parameters of its own'
net(x).sum().backward(); adam.step()
"""
_MATPLOTLIB = """
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt, numpy as np
fig, ax = plt.subplots(); (line,) = ax.plot(np.arange(5), label='x'); ax.set_title('kept'); ax.legend()
other, axes = plt.subplots(2, 2); image = axes[0, 0].imshow(np.ones((3, 3)))
"""
_MATPLOTLIB_AFTER = """
import io
assert ax.figure is fig and ax.lines[0] is line and ax.get_title() == 'kept' and image in axes[0, 0].images
out = io.BytesIO(); fig.savefig(out); other.savefig(out); assert len(out.getvalue()) > 5000
"""
_SYMPY = """
import sympy
x, y = sympy.symbols('x y'); f = sympy.Function('f'); expr = sympy.sin(x)**2 + y/3
whole = sympy.Integral(expr, (x, 0, sympy.pi)); matrix = sympy.Matrix([[x, 1], [y, 2]])
n = sympy.Symbol('n', integer=True); dummy = sympy.Dummy('d'); both = dummy + x
"""
_SYMPY_AFTER = """
assert expr.subs({x: 0, y: 3}) == 1
assert whole.doit() == sympy.pi/2 + sympy.pi*y/3 and matrix.det() == 2*x - y and n.is_integer
assert both.has(dummy) and x is sympy.Symbol('x')
"""
_POLARS = """
import polars as pl, datetime
df = pl.DataFrame({'a': [1, 2, 3], 'b': ['x', 'y', None], 'd': [datetime.date(2026, 1, 1)] * 3})
column = df['a']; nested = pl.DataFrame({'l': [[1, 2], [3]]}); kinds = df['b'].cast(pl.Categorical)
before = pl.__version__
"""
_POLARS_AFTER = """
assert pl.__version__ != before and df['a'].sum() == 6 and column.sum() == 6
assert nested['l'].to_list() == [[1, 2], [3]] and kinds.dtype == pl.Categorical and df['b'].null_count() == 1
"""
_LAZY = """
import polars as pl
lazy = pl.DataFrame({'a': [1, 2, 3]}).lazy().filter(pl.col('a') > 1); rule = (pl.col('a') * 2).alias('twice')
"""
_LAZY_AFTER = """
assert lazy.collect()['a'].to_list() == [2, 3]
assert pl.DataFrame({'a': [1]}).select(rule)['twice'].to_list() == [2]
"""
_SESSION = """
import numpy, abc, collections, dataclasses, enum, functools, pathlib, random, re, typing
def counter():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    return up
up = counter(); up(); later = lambda: value
@dataclasses.dataclass
class Point:
    x: int
    y: int = 2
    def far(self): return self.x + self.y
class Colour(enum.Enum): RED = 1
class Base(abc.ABC):
    @abc.abstractmethod
    def name(self): ...
class Child(Base):
    def name(self): return type(self).__name__
    @property
    def p(self): return 5
class Grand(Child):
    def name(self): return 'x' + super().name()
Pair = collections.namedtuple('Pair', 'a b'); pair = Pair(1, 2); point = Point(1); red = Colour.RED; grand = Grand()
T = typing.TypeVar('T'); half = functools.partial(pow, 2); pattern = re.compile('a+')
dice = random.Random(3); dice.random(); loop = []; loop.append(loop); path = pathlib.Path('x')
many = collections.Counter('aab'); deep = collections.deque([1], 3); methods = [point.far, str.upper, len]
def gen():
    yield from range(3)
async def co(): return 1
def fact(n): return n * fact(n - 1) if n else 1
big = 10**100; error = ValueError('x')
"""
_SESSION_AFTER = """
value = 7
assert up() == 2 and later() == 7 and point.far() == 3 and Point(5).y == 2 and type(point) is Point
assert red is Colour.RED and Colour(1) is red and grand.name() == 'xGrand' and isinstance(grand, Base) and grand.p == 5
assert pair == Pair(1, 2) and half(3) == 8 and pattern.match('aa') and loop[0] is loop and many['a'] == 2
r = random.Random(3); r.random(); assert dice.random() == r.random() and list(gen()) == [0, 1, 2]
assert fact(5) == 120 and methods[0]() == 3 and big == 10**100 and deep.maxlen == 3 and error.args == ('x',)
"""

CASES = {
    "numpy": Case(("numpy",), ("numpy>=2.3",), _NUMPY, _NUMPY_AFTER),
    "pandas": Case(("numpy", "pandas"), ("numpy>=2.3", "pandas>=3"), _PANDAS, _PANDAS_AFTER),
    "scikit-learn": Case(
        ("numpy", "scikit-learn", "scipy"), ("numpy>=2.3", "scikit-learn>=1.6"), _SKLEARN, _SKLEARN_AFTER
    ),
    "torch": Case(("numpy", "torch"), ("numpy>=2.3",), _TORCH, _TORCH_AFTER),
    "matplotlib": Case(("numpy", "matplotlib"), ("numpy>=2.3",), _MATPLOTLIB, _MATPLOTLIB_AFTER),
    "sympy": Case(("sympy",), ("sympy>=1.13",), _SYMPY, _SYMPY_AFTER),
    "polars": Case(("polars",), ("polars>=1.20",), _POLARS, _POLARS_AFTER),
    "session": Case(("numpy",), ("numpy>=2.3",), _SESSION, _SESSION_AFTER),
}


@contextmanager
def environment(tmp_path: Path, wheel: Path, names: tuple[str, ...]) -> Iterator[Environment]:
    """An environment with a kernel, cloudpickle and old versions; skipped if the index has them no longer."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path / "venv", base)
    try:
        made.add("ipykernel", "cloudpickle", *(f"{name}=={OLD[name]}" for name in names), deps=True)
    except NotOfferedError as error:
        pytest.skip(str(error))
    add_liveinstall(made, wheel)
    yield made
    made.remove()


def restarted(kernel: Kernel, call: str = "liveinstall.restart(keep='all')") -> str:
    """The text of the card after a restart."""
    asked = kernel.send(f"import builtins, liveinstall; builtins.input = lambda question: 'n'; {call}")
    reply = kernel.reply(asked)
    assert reply["status"] == "ok" or reply["ename"] == "_Leave", reply

    def is_report(message: dict[str, Any]) -> bool:
        data = message["content"].get("data", {}) if message["msg_type"] == "update_display_data" else {}
        text = data.get("text/plain", "")
        return text.startswith("Restarted") and "Restoring" not in text

    return str(kernel.until(is_report, 120)["content"]["data"]["text/plain"])


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The import of large packages takes long."""
    monkeypatch.setattr(live_kernels, "_WAIT", 300.0)


def upgrade(made: Environment, kernel: Kernel, requirements: tuple[str, ...]) -> None:
    """Stage an upgrade of the kernel's packages."""
    kernel.run("import liveinstall; liveinstall.hold()")
    told = made.run("-m", "liveinstall", "install", *requirements)
    assert "next start" in told.stdout + told.stderr or "restart" in told.stdout + told.stderr, told


def assert_upgraded(kernel: Kernel, requirements: tuple[str, ...]) -> None:
    """The kernel has other versions of what was asked for than before."""
    code = "import importlib.metadata as m; assert m.version({0!r}) != {1!r}; print({0!r}, m.version({0!r}))"
    for requirement in requirements:
        name = requirement.partition(">")[0]
        print(kernel.run(code.format(name, OLD[name])))


@pytest.mark.parametrize("name", CASES)
def test_real_objects_come_back_after_an_upgrade(name: str, tmp_path: Path, wheel: Path) -> None:
    case = CASES[name]
    with environment(tmp_path, wheel, case.before) as made, kernel_of(made, tmp_path) as kernel:
        kernel.run(case.setup)
        upgrade(made, kernel, case.upgrade)
        print(restarted(kernel))
        assert_upgraded(kernel, case.upgrade)
        kernel.run(case.check)


def test_lazy_frames_of_polars_come_back_or_the_trial_says_that_they_do_not(tmp_path: Path, wheel: Path) -> None:
    """Their serialised form belongs to one version."""
    with environment(tmp_path, wheel, ("polars",)) as made, kernel_of(made, tmp_path) as kernel:
        kernel.run(_LAZY)
        kernel.run("import liveinstall")
        print(restarted(kernel))
        kernel.run(_LAZY_AFTER)
        upgrade(made, kernel, ("polars>=1.20",))
        told = kernel.run(
            "import builtins; builtins.input = lambda question: 'n'\n"
            "try: liveinstall.restart(keep=['pl', 'lazy', 'rule'])\n"
            "except liveinstall.errors.CannotKeepError as error: print(error)"
        )
        print(told)
        assert "lazy (" in told and "nothing is lost" in told


def test_figures_and_groupings_are_refused_if_their_own_package_changes(tmp_path: Path, wheel: Path) -> None:
    """They would be loaded, and fail when they are used."""
    before = ("numpy", "matplotlib", "pandas")
    with environment(tmp_path, wheel, before) as made, kernel_of(made, tmp_path) as kernel:
        kernel.run(_MATPLOTLIB + "import pandas as pd; groups = pd.DataFrame({'a': [1]}).groupby('a')")
        upgrade(made, kernel, ("numpy>=2.3", "matplotlib>3.10.0", "pandas>=3"))
        told = kernel.run(
            "import builtins; builtins.input = lambda question: 'n'\n"
            "try: liveinstall.restart(keep=['fig', 'axes', 'groups'])\n"
            "except liveinstall.errors.CannotKeepError as error: print(error)"
        )
        for words in ("fig (it is a figure", "axes (it contains a figure", "groups (it is a grouping"):
            assert words in told, told


@pytest.mark.parametrize("gigabytes", [2])
def test_large_arrays_need_little_more_memory_than_they_have(tmp_path: Path, wheel: Path, gigabytes: int) -> None:
    with environment(tmp_path, wheel, ("numpy",)) as made, kernel_of(made, tmp_path) as kernel:
        kernel.run(
            "import numpy as np, os, time, resource\n"
            f"arrays = [np.arange({gigabytes * 10**9 // 40}.) + n for n in range(5)]; first = arrays[0][10:]\n"
            "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024\n"
            "before = peak()"
        )
        upgrade(made, kernel, ("numpy>=2.3",))
        print(
            kernel.run(
                "from liveinstall._frontends.restart.restart import preview; begin = time.perf_counter()\n"
                "ready = preview('all'); ready.discard(); print(before, peak(), 'MiB;', 'seconds:',"
                " round(time.perf_counter() - begin, 1), ready.sentence)\n"
                "child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024; print('trial', child, 'MiB')\n"
                "assert peak() < 1.2 * before and child < 1.2 * before"
            )
        )
        print(restarted(kernel))
        print(kernel.run("print(before, peak(), 'MiB'); assert peak() < 1.2 * before and len(arrays) == 5"))
        assert_upgraded(kernel, ("numpy>=2.3",))
        kernel.run("assert arrays[4][7] == 11 and np.shares_memory(first, arrays[0])")
