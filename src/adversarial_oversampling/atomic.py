"""Writing a file as a whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a new file, which takes the place of `path` at the end of the body.

    Whoever reads `path` finds the old content or all of the new content. Several processes may write it at
    once: the last one to finish wins. If the body raises, `path` is left as it was.
    """
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        yield new
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
