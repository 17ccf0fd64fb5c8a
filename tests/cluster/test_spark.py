"""The Spark adapter with an imitated Spark: executors are directories, and their homes are real."""

from __future__ import annotations

import os

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Spark is refused on Windows")

# What the adapter uses of PySpark. `executors`: the directories of the executors' files.
PYSPARK = """
import os, shutil

class SparkFiles:
    root = ""
    @classmethod
    def getRootDirectory(cls):
        return cls.root

class RDD:
    def __init__(self, context, count):
        self.context, self.count = context, count
    def mapPartitions(self, function):
        self.function = function
        return self
    def collect(self):
        found = []
        for number in range(self.count):
            free = [each for each in self.context.executors if each not in self.context.busy]
            SparkFiles.root = free[number % len(free)]
            found += self.function(iter([number]))
        SparkFiles.root = self.context.root
        return found

class Java:
    def __init__(self, context):
        self.context = context
    def sc(self):
        return self
    def isLocal(self):
        return False
    def getExecutorMemoryStatus(self):
        return self
    def size(self):
        return len(self.context.executors) + 1

class SparkContext:
    defaultParallelism = 2
    busy = ()
    def __init__(self, folder, python):
        self.root = SparkFiles.root = os.path.join(folder, "driver")
        os.mkdir(self.root)
        self.pythonExec, self.sent, self.executors, self.folder, self._jsc = python, [], [], folder, Java(self)
    @property
    def listFiles(self):
        return ["spark://driver/files/" + os.path.basename(path) for path in self.sent]
    def start(self, name):
        directory = os.path.join(self.folder, name)
        os.mkdir(directory)
        self.executors.append(directory)
        for path in self.sent:
            self.copy(path, directory)
        return directory
    def copy(self, path, directory):
        os.chmod(shutil.copy(path, directory), 0o755)
    def addFile(self, path):
        self.sent.append(path)
        for directory in (self.root, *self.executors):
            self.copy(path, directory)
    def parallelize(self, values, count):
        return RDD(self, count)
"""
SQL = """
import subprocess, sys

class Conf(dict):
    def set(self, name, value):
        self[name] = value
    def unset(self, name):
        self.pop(name, None)

class SparkSession:
    def __init__(self, context):
        self.sparkContext, self.conf = context, Conf()
    def newSession(self):
        return SparkSession(self.sparkContext)
    def range(self, count, numPartitions):
        return self
    def select(self, column):
        return self
    def collect(self):
        python = self.conf.get("spark.sql.execution.pyspark.python") or sys.executable
        try:
            subprocess.run([python, "-c", ""], cwd=self.sparkContext.executors[0], check=True)
        except OSError as error:
            text = f"An error\\nCaused by: java.io.IOException: {error}\\n\\tat java\\n\\t... 2 more"
            raise RuntimeError(text) from None
"""
FUNCTIONS = """
def udf(function, kind):
    return lambda column: column
"""
BEGIN = """
import subprocess, sys
from pyspark import SparkContext
from pyspark.sql import SparkSession
import liveinstall._cluster.spark.executor_task as tasks
tasks._PAUSE = 0
from liveinstall.cluster.spark import undo, use
from liveinstall.errors import ClusterError, LiveInstallError
context = SparkContext(os.environ["PLACE"], sys.executable)
one, two = context.start("one"), context.start("two")
spark = SparkSession(context)
SETTING = "spark.sql.execution.pyspark.python"

def seen(directory, name="alpha"):
    code = f"import {name}; print({name}.__version__)"
    chosen = spark.conf.get(SETTING) or sys.executable
    done = subprocess.run([chosen, "-c", code], cwd=directory, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

def homes(directory):
    folder = os.path.join(directory, "liveinstall-homes")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else None

told = {}
"""


@pytest.fixture
def spark(env):
    """An environment with alpha 1.0, the imitated Spark, and newer wheels; runs code and returns what it has told."""
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0", requires=("alpha>=2",))
    package = env.root / "libraries" / "pyspark"
    package.mkdir()
    (package / "__init__.py").write_text(PYSPARK)
    (package / "sql").mkdir()
    (package / "sql" / "__init__.py").write_text(SQL)
    (package / "sql" / "functions.py").write_text(FUNCTIONS)
    place = env.root / "place"
    place.mkdir()

    def run(code):
        end = "\nprint(json.dumps(told))"
        return env.json(BEGIN + code + end, PLACE=str(place), XDG_CACHE_HOME=str(env.root / "cache"))

    return run


def test_the_next_query_uses_the_release_and_so_does_an_executor_that_starts_later(spark):
    facts = spark("""
outcome = use(spark, "beta")
told["rows"] = [[row.state, *row.changes] for row in outcome.rows]
told["new"] = [seen(one), seen(two, "beta"), seen(context.start("three")), seen(context.executors[2], "beta")]
first = spark.conf.get(SETTING)
use(spark, "alpha==1.0")
told["satisfied"] = [spark.conf.get(SETTING), seen(one)]
undo(spark)
told["back"] = [spark.conf.get(SETTING) == first, seen(two)]
undo(spark)
told["base"] = [spark.conf.get(SETTING), seen(one), seen(one, "beta")]
try:
    undo(spark)
except ClusterError as error:
    told["error"] = str(error)
""")
    assert facts["rows"] == [["applied", "alpha 1.0 -> 2.0", "beta 1.0"]] * 2
    assert facts["new"] == ["2.0", "1.0", "2.0", "1.0"]
    assert facts["satisfied"] == [None, "1.0"], "the base environment has it, so no home is needed"
    assert facts["back"] == [True, "2.0"]
    assert facts["base"] == [None, "1.0", "ModuleNotFoundError: No module named 'beta'"]
    assert "nothing to undo" in facts["error"]


def test_an_executor_without_a_free_slot_makes_the_home_before_its_next_task(spark):
    facts = spark("""
tasks._ROUNDS, context.busy = 2, [two]
told["rows"] = len(use(spark, "beta").rows)
told["before"], told["seen"], told["after"] = homes(two), seen(two), homes(two)[1:]
""")
    assert facts["rows"] == 1 and facts["before"] is None
    assert facts["seen"] == "2.0" and facts["after"] == ["lock", "store"]


def test_an_executor_that_cannot_make_the_home_is_named_and_nothing_is_left(spark):
    facts = spark("""
open(os.path.join(two, "liveinstall-homes"), "x").close()
try:
    use(spark, "beta")
except ClusterError as error:
    told["error"], told["states"] = str(error), [row.state for row in error.outcome.rows]
told["setting"], told["left"] = spark.conf.get(SETTING), homes(one)
os.remove(os.path.join(two, "liveinstall-homes"))
use(spark, "beta")
told["again"] = [seen(one), seen(two)]
""")
    assert "liveinstall-homes cannot be used" in facts["error"] and "as before" in facts["error"]
    assert facts["states"] == ["applied", "failed"]
    assert facts["setting"] is None and facts["left"] == ["lock"]
    assert facts["again"] == ["2.0", "2.0"]


def test_a_home_that_was_there_before_a_failed_request_remains(spark):
    facts = spark("""
use(spark, "beta")
three = context.start("three")
open(os.path.join(three, "liveinstall-homes"), "x").close()
try:
    use(spark, "beta")
except ClusterError as error:
    told["error"] = str(error)
told["still"] = [seen(one), seen(two)]
""")
    assert "cannot be used" in facts["error"] and facts["still"] == ["2.0", "2.0"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("open(wheel, 'ab').write(b'x')", "is not the wheel of the lock"),
        ("os.remove(toml)", "is missing"),
    ],
)
def test_every_file_is_checked_when_it_arrives(spark, damage, words):
    facts = spark(f"""
original = context.copy
def copy(path, directory):
    original(path, directory)
    name = os.path.join(directory, os.path.basename(path))
    if directory == two and name.endswith("beta-1.0-py3-none-any.whl"):
        wheel = name
        {damage if "wheel" in damage else "pass"}
    if directory == two and name.endswith(".toml"):
        toml = name
        {damage if "toml" in damage else "pass"}
context.copy = copy
try:
    use(spark, "beta")
except ClusterError as error:
    told["error"] = str(error)
told["setting"], told["left"] = spark.conf.get(SETTING), homes(one)
""")
    assert words in facts["error"] and facts["setting"] is None and facts["left"] == ["lock"]


def test_what_cannot_be_done_is_refused_by_name(spark, env):
    env.wheel("pyspark", "9.0")
    facts = spark("""
def error_of(function, *arguments):
    try:
        function(*arguments)
    except LiveInstallError as error:
        return [type(error).__name__, str(error)]

class Connect:
    __module__ = "pyspark.sql.connect.session"

told["errors"] = [error_of(use, spark, "pyspark"), error_of(use, Connect(), "beta"), error_of(undo, object()),
                  error_of(use, spark, "unknown-project")]
rebuilt = os.path.join(context.root, "beta-1.0-py3-none-any.whl")
open(rebuilt, "w").close()
context.sent.append(rebuilt)
told["errors"].append(error_of(use, spark, "beta"))
told["setting"] = spark.conf.get(SETTING)
""")
    (spark_itself, connect, other, unknown, rebuilt) = facts["errors"]
    assert spark_itself[0] == "LockError" and "changes pyspark to version 9.0" in spark_itself[1]
    assert connect[0] == "RequirementError" and "Spark Connect" in connect[1]
    assert other[0] == "RequirementError" and "is not a pyspark.sql.SparkSession" in other[1]
    assert unknown[0] == "ResolutionError"
    assert rebuilt[0] == "LockError" and "another file with the name" in rebuilt[1]
    assert facts["setting"] is None


def test_a_launcher_that_cannot_be_started_changes_nothing(spark):
    facts = spark("""
original = context.copy
def copy(path, directory):
    original(path, directory)
    os.chmod(os.path.join(directory, os.path.basename(path)), 0o644)
context.copy = copy
try:
    use(spark, "beta")
except ClusterError as error:
    told["error"] = str(error)
told["setting"], told["left"] = spark.conf.get(SETTING), [homes(one), homes(two)]
""")
    assert "cannot run a task: java.io.IOException:" in facts["error"] and "Permission denied" in facts["error"]
    assert "noexec" in facts["error"] and facts["setting"] is None and facts["left"] == [["lock"], ["lock"]]


def test_executors_without_liveinstall_are_named(spark):
    facts = spark("""
def parallelize(values, count):
    raise RuntimeError("PythonException: ...\\nModuleNotFoundError: No module named 'liveinstall'\\n\\n")
context.parallelize = parallelize
try:
    use(spark, "beta")
except ClusterError as error:
    told["error"] = str(error)
""")
    assert "does not have liveinstall" in facts["error"]
