"""What users call: one file for each verb or family of verbs, named like it."""
