"""The output of a command, which never ends the command: a closed pipe, a full disk, an ASCII terminal."""

import io
import logging
import os
import sys
from contextlib import suppress


class _Lossy(io.FileIO):
    """The file of a standard stream. What cannot be written is lost, and so is all that follows."""

    def write(self, content: object) -> int:
        """Write, or give the stream up."""
        try:
            return super().write(content)  # type: ignore[arg-type]
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())  # for native code and child processes too
            os.close(null)
            return memoryview(content).nbytes  # type: ignore[arg-type]


def keep_going() -> None:
    """Let this process continue whatever happens to its standard streams.

    A closed stream becomes one to nowhere, so that no other file gets its number. Characters that the
    terminal lacks are written as escapes. The streams of a notebook or of a test are left as they are.
    """
    logging.raiseExceptions = False  # a record that cannot be written is no reason for a traceback
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when Python started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (open as long as the process)
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):
                stream.flush()
            raw = _Lossy(number, "w", closefd=False)
            lossy = io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors="backslashreplace",
                line_buffering=stream.line_buffering or stream.write_through,
            )
            setattr(sys, name, lossy)
