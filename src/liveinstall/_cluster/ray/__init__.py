"""The engine Ray: a plugin of its runtime environments. Ray starts new workers for each, so nothing is staged."""
