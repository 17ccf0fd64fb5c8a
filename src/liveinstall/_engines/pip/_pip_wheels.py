"""Reads the RECORD of wheels that are not on this disk, by HTTP range requests; `_pip_child` imports this.

A wheel's central directory is at its end, and its metadata is usually just before it (PEP 427). So the last bytes are
requested first, and of most wheels nothing else is needed: one request, and 64 KiB of a wheel of any size.
"""

import concurrent.futures
import io
import zipfile

_TAIL = 2**16  # bytes: the size of the first range, and the least size of each further one
_MOST = 2**24  # bytes to read of one wheel; torch needs 3 MB, and nothing else that is downloaded often 1 MB
_MOST_TEXT = 2**25  # bytes of a RECORD, as in the rules for wheels
_AT_ONCE = 8  # requests; pip's session keeps 10 connections to a host
_SECONDS = 20.0  # for all wheels together: after that a plan continues without the rest
_WHOLE, _PARTIAL = 200, 206


class UnreadableError(Exception):
    """A wheel cannot be read in part; the text says why, as the end of a sentence."""


class RemoteFile(io.RawIOBase):
    """A file on a server, of which the ranges are requested that are read.

    Args:
        get: Called as `get(url, headers)`; returns an unread response of `requests`.
        url: The URL.
    """

    def __init__(self, get, url):
        self._get, self._url = get, url
        self._pieces = []  # (offset, bytes), sorted, not adjacent
        self._read = self._position = 0
        self._size = None
        self._fetch("bytes=-%d" % _TAIL)

    def _fetch(self, range):
        response = self._get(self._url, {"Range": range, "Accept-Encoding": "identity", "Cache-Control": "no-cache"})
        with response:
            headers = response.headers
            if response.status_code == _PARTIAL:
                place, _, total = headers.get("Content-Range", "").rpartition(" ")[2].partition("/")
                offset, size = int(place.partition("-")[0]), int(total)
            elif response.status_code == _WHOLE and int(headers.get("Content-Length", _TAIL + 1)) <= _TAIL:
                offset, size = 0, int(headers["Content-Length"])  # the whole file is as small as the requested range
            elif response.status_code == _WHOLE:
                raise UnreadableError("its server does not support range requests")
            else:
                raise UnreadableError("its server answered with status %d" % response.status_code)
            content = response.raw.read(_MOST - self._read + 1, decode_content=False)
        self._read += len(content)
        if self._read > _MOST:
            raise UnreadableError("its list of files is too long")
        if not content or offset + len(content) > size or self._size not in (None, size):
            raise UnreadableError("its server does not answer range requests correctly")
        self._size = size
        self._pieces = sorted([*self._pieces, (offset, content)])

    def readable(self):
        """Return True."""
        return True

    def seekable(self):
        """Return True."""
        return True

    def tell(self):
        """Return the position."""
        return self._position

    def seek(self, offset, whence=io.SEEK_SET):
        """Change the position; see `io.IOBase.seek`."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if self._position < 0:
            raise OSError("a position before the file")
        return self._position

    def read(self, size=-1):
        """Read up to `size` bytes, and request the missing ones."""
        end = self._size if size is None or size < 0 else min(self._size, self._position + size)
        texts = []
        while self._position < end:
            piece = self._at(self._position) or self._at(self._position, end)
            texts.append(piece[: end - self._position])
            self._position += len(texts[-1])
        return b"".join(texts)

    def _at(self, position, end=0):
        """The known bytes from a position on. With `end` they are requested, with as many before them: the metadata."""
        if end:
            later = min((offset for offset, _ in self._pieces if offset > position), default=self._size)
            length = max(end - position, _TAIL)
            self._fetch("bytes=%d-%d" % (max(0, position - length), min(later, position + length) - 1))
        for offset, content in self._pieces:
            if offset <= position < offset + len(content):
                return content[position - offset :]
        if end:
            raise UnreadableError("its server does not answer range requests correctly")
        return b""


def listing(stream):
    """List the files of a wheel.

    Args:
        stream: The wheel: a path, or a readable and seekable object.

    Returns:
        {"info": the name of its metadata directory, "record": the text of its RECORD, "purelib": Root-Is-Purelib}.

    Raises:
        UnreadableError: The wheel is damaged.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            records = (
                name for name in archive.namelist() if name.endswith(".dist-info/RECORD") and name.count("/") == 1
            )
            info = next(records, "").partition("/")[0]
            if not info or archive.getinfo(info + "/RECORD").file_size > _MOST_TEXT:
                raise UnreadableError("it has no usable RECORD")
            record, wheel = (archive.read("%s/%s" % (info, name)).decode() for name in ("RECORD", "WHEEL"))
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnreadableError("it is damaged: %s" % error) from error
    return {"info": info, "record": record, "purelib": "root-is-purelib: true" in wheel.lower()}


def listings(urls, get, downloaded):
    """List the files of wheels, in parallel. Never raises: what cannot be read has a reason instead.

    Args:
        urls: What identifies each wheel in the result -> its URL.
        get: See `RemoteFile`.
        downloaded: Returns the path of the file that was downloaded from a URL already; empty if there is none.

    Returns:
        See `listing`, or {"why": the reason, as the end of a sentence}, for each wheel.
    """

    def one(url):
        try:
            return listing(downloaded(url) or RemoteFile(get, url))
        except UnreadableError as error:
            return {"why": str(error)}
        except Exception as error:  # noqa: BLE001  pip's session raises exceptions of many kinds
            return {"why": "it could not be read (%s)" % type(error).__name__}

    pool = concurrent.futures.ThreadPoolExecutor(_AT_ONCE)
    jobs = {name: pool.submit(one, url) for name, url in urls.items()}
    concurrent.futures.wait(jobs.values(), timeout=_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    late = {"why": "its server did not answer in %d seconds" % _SECONDS}
    return {name: job.result() if job.done() and not job.cancelled() else late for name, job in jobs.items()}
