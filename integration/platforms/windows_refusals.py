def _refuse_what_windows_refuses():
    """Do not rename a directory above an open file or a mapped library; this text is appended to `encodings`, too.

    Wine would rename it. Who has a file open shows when it is opened for writing without sharing it.
    """
    import _winapi
    import nt

    def is_open(path):
        try:
            _winapi.CloseHandle(_winapi.CreateFile(path, 0xC0000000, 0, 0, 3, 0, 0))
        except OSError as error:
            return error.winerror == 32
        return False

    def has_open_files(directory):
        for entry in list(nt.scandir(directory)):
            if has_open_files(entry.path) if entry.is_dir(follow_symlinks=False) else is_open(entry.path):
                return True
        return False

    def refusing(rename):
        def renamed(src, dst, **options):
            path = nt.fspath(src)
            try:
                is_refused = nt.lstat(path).st_mode & 0o170000 == 0o040000 and has_open_files(path)
            except OSError:
                is_refused = False
            if is_refused:
                raise PermissionError(13, "Access is denied", path, 5, nt.fspath(dst))
            return rename(src, dst, **options)

        return renamed

    nt.rename, nt.replace = refusing(nt.rename), refusing(nt.replace)


_refuse_what_windows_refuses()
del _refuse_what_windows_refuses
