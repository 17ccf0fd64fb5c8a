"""The adapter for Apache Spark: homes on executors, and the setting that chooses the interpreter of the next query."""
