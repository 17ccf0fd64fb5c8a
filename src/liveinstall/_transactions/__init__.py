"""The lock, the transactions on disk, and the swap through the boot module."""
