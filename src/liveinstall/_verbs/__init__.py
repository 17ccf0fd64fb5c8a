"""The verbs, which users call: one module for each verb or group of verbs, named after it."""
