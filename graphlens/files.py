"""Writing output so that nothing is lost: to a temporary file next to the target, then renamed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from graphlens.errors import GraphLensError


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a whole file or none of it, and return its path.

    Raises
    ------
    GraphLensError
        The folder does not exist or cannot be written to; a file that was there before is left as it was.
    """
    target = Path(path)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        os.replace(temporary, target)  # noqa: PTH105 - atomic on every platform
    except OSError as error:
        raise GraphLensError(f"cannot write {target}: {error.strerror or error}; choose another path") from error
    finally:
        if temporary is not None and os.path.exists(temporary):  # noqa: PTH110
            os.unlink(temporary)  # noqa: PTH108
    return target
