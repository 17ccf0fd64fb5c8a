"""Which of the stored and installed versions `require()` and registries choose."""
