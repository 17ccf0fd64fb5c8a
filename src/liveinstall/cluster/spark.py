"""Spark: `use(spark, "rich>=14")`, and `undo(spark)`. Requires the extra `liveinstall[spark]`."""

from liveinstall._cluster.spark.session import undo, use

__all__ = ["undo", "use"]
