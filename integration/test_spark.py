"""`liveinstall.cluster.spark` in a real session with two executor processes. Run by `nox -s spark`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration.lib.documents import snippets
from integration.lib.spark_program import run_driver, why_not
from integration.lib.wheels import write_wheel

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

PAGE = Path(__file__).parents[1] / "docs" / "spark.md"
_SESSION = '''
from liveinstall.cluster.spark import undo, use
from liveinstall.errors import ClusterError, ResolutionError

HERE = dict(no_index=True, find_links=[WHEELS])


def refused(*requirements):
    """The error of a request, the setting afterwards, and the homes that are left."""
    try:
        use(spark, *requirements, **HERE)
    except (ClusterError, ResolutionError) as error:
        homes = [os.path.join(place, "liveinstall-homes") for _, place in workers().values()]
        left = [name for path in homes if os.path.isdir(path) for name in os.listdir(path)]
        return [type(error).__name__, str(error), spark.conf.get(SETTING, None), sorted(set(left) - {"lost+found"})]


tell(base=seen(), unknown=refused("no-such-project"))
_, second = workers()["1"]
place = os.path.join(second, "liveinstall-homes")
open(place, "x").close()
tell(failed=refused("alpha==1.0"))
os.remove(place)
if os.environ["MAY_MOUNT"]:
    os.mkdir(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", place], check=True)
    tell(full=refused("large"))
    subprocess.run(["umount", place], check=True)

outcome = use(spark, "alpha==1.0", **HERE)
tell(new=seen(), states=[row.state for row in outcome.rows], changes=outcome.rows[0].changes, sent=outcome.sent)


def slow(number):
    import os, time, alpha
    while not os.path.exists(GO):
        time.sleep(0.1)
    import alpha.late
    return f"{alpha.VERSION} {alpha.late.VERSION}"


running = []
query = spark.range(1, numPartitions=1).select(udf(slow, "string")("id"))
thread = threading.Thread(target=lambda: running.append(query.collect()[0][0]))
thread.start()
time.sleep(3)
use(spark, "alpha==2.0", **HERE)
spark.udf.register("seen_by_sql", look)
tell(
    other=seen(),
    by_sql=sorted({row[0] for row in spark.sql("select seen_by_sql(id) from range(0, 4, 1, 4)").collect()}),
    by_rdd=sorted(set(spark.sparkContext.parallelize(range(4), 4).map(look).collect())),
    new_session=seen(spark.newSession()),
)
try:
    import pandas, pyarrow
except ImportError:
    tell(pandas=None)
else:
    frames = spark.range(4, numPartitions=4).mapInPandas(
        lambda batches: (pandas.DataFrame({"found": [look()]}) for batch in batches), "found string"
    )
    tell(pandas=sorted({row[0] for row in frames.collect()}))
open(GO, "x").close()
thread.join()
tell(running=running)

process, _ = workers()["0"]
os.kill(process, signal.SIGKILL)
for _ in range(600):
    if {"1", "2"} <= workers().keys() and spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() == 3:
        break
    time.sleep(0.2)
time.sleep(1)
tell(replaced=seen(count=8))
undo(spark)
tell(back=seen(count=8))
undo(spark)
tell(gone=seen(count=8), setting=spark.conf.get(SETTING, None))
for block in EXAMPLES:
    exec(block)
tell(example=SETTING and spark.conf.get(SETTING, None))
'''


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one session has told: Java needs more time to start than the steps."""
    folder = tmp_path_factory.mktemp("spark")
    wheels = folder / "wheels"
    for version in ("1.0", "2.0"):
        write_wheel(wheels, "alpha", version)
    write_wheel(wheels, "large", "1.0", files={"large/data.txt": "x" * 2**21})
    examples = [each.text for each in snippets(PAGE) if each.options.get("run by") == "integration/test_spark.py"]
    assert examples
    values = {"WHEELS": str(wheels), "GO": str(folder / "go"), "EXAMPLES": examples}
    return run_driver(_SESSION, folder, **values)


def both(found: str, executors: str = "01") -> list[str]:
    """What a query sees if each executor has it."""
    return [f"{number}: {found}" for number in executors]


def test_a_session_gets_a_new_version_another_one_and_goes_back(facts: dict[str, Any]) -> None:
    assert facts["base"] == both("none")
    assert facts["new"] == both("1.0 1.0") and facts["states"] == ["applied"] * 2
    assert facts["changes"] == ["alpha 1.0"] and 500 < facts["sent"] < 5000
    assert facts["other"] == both("2.0 2.0")
    assert facts["back"] == both("1.0 1.0", "12") and facts["gone"] == both("none", "12")
    assert facts["setting"] is None


def test_sql_functions_and_pandas_use_it_rdds_and_other_sessions_do_not(facts: dict[str, Any]) -> None:
    assert facts["by_sql"] == both("2.0 2.0")
    assert facts["by_rdd"] == both("none") and facts["new_session"] == both("none")
    if facts["pandas"] is None:
        pytest.skip("SKIPPED: mapInPandas, because pandas and pyarrow are not installed")
    assert facts["pandas"] == both("2.0 2.0")


def test_a_running_query_ends_on_the_version_that_it_started_with(facts: dict[str, Any]) -> None:
    assert facts["running"] == ["1.0 1.0"]


def test_an_executor_that_was_killed_and_replaced_has_it(facts: dict[str, Any]) -> None:
    assert facts["replaced"] == both("2.0 2.0", "12")


def test_a_failed_request_names_the_host_and_changes_nothing(facts: dict[str, Any]) -> None:
    kind, text, setting, left = facts["unknown"]
    assert kind == "ResolutionError" and "no-such-project" in text and (setting, left) == (None, [])
    kind, text, setting, left = facts["failed"]
    assert kind == "ClusterError" and "liveinstall-homes cannot be used" in text and (setting, left) == (None, ["lock"])


def test_a_full_disk_on_one_executor_changes_nothing(facts: dict[str, Any]) -> None:
    if "full" not in facts:
        pytest.skip("SKIPPED: a full disk, because only root can mount one")
    kind, text, setting, left = facts["full"]
    assert kind == "ClusterError" and "No space left on device" in text and (setting, left) == (None, ["lock"])


def test_the_example_of_the_page_works(facts: dict[str, Any]) -> None:
    assert facts["example"] is None, "it ends with undo()"
