"""dkimpy, the second opinion on our signatures, as it was published (tests/vendor; there is no wheel of it)."""

from __future__ import annotations

import sys
import tarfile
import tempfile
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

ARCHIVE = Path(__file__).parent / "vendor" / "dkimpy-1.1.8.tar.gz"


@cache
def dkimpy() -> ModuleType:
    """The module `dkim`, unpacked beside nothing else."""
    with tempfile.TemporaryDirectory(prefix="dkimpy-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data")
        sys.path.insert(0, str(Path(folder, "dkimpy-1.1.8")))
        try:
            import dkim  # type: ignore[import-not-found]
        finally:
            sys.path.pop(0)
    return dkim


def verifies(message: bytes, records: dict[str, str]) -> bool:
    """Whether the first signature of `message` holds, with these records in the DNS."""

    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        found = records.get(name.decode().rstrip("."))
        return found.encode() if found else None

    try:
        return bool(dkimpy().DKIM(message, minkey=1024).verify(dnsfunc=txt))
    except dkimpy().DKIMException:
        return False
