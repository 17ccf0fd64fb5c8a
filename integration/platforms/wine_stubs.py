def _repair_stubs_of_wine():
    """Let three functions behave as on Windows; this text is appended to `encodings`, which every start imports."""
    import msvcrt
    import nt

    real_locking = msvcrt.locking

    def locking(handle, mode, size):  # Wine keeps the errno of an earlier call
        try:
            return real_locking(handle, mode, size)
        except OSError:
            raise PermissionError(13 if mode != msvcrt.LK_LOCK else 36, "Permission denied") from None

    def symlink(source, target, target_is_directory=False, *, dir_fd=None):  # Wine "succeeds", but creates no file
        raise OSError(22, "A required privilege is not held by the client", source, 1314, target)

    msvcrt.locking, nt.symlink = locking, symlink
    nt.getppid = lambda: 1  # the real one crashes


_repair_stubs_of_wine()
del _repair_stubs_of_wine
