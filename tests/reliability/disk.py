"""A disk of a test's own that can be full: a small file system in memory, and a file that takes what is left of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Disk:
    """A folder with a size of its own. `own` is False where this machine lets nobody mount one: then it cannot be
    filled."""

    path: Path
    own: bool

    def fill(self, but: int = 0) -> None:
        """Leave `but` bytes free."""
        taken = 0
        with open(self._ballast, "wb") as file:
            for step in (64 << 20, 4 << 20, 256 << 10, 4 << 10):  # others may be writing meanwhile
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), taken, step)
                        taken += step
            file.truncate(max(taken - but, 0))

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


@contextlib.contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of that size at `path`, gone with all that is on it at the end."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(path)]
    own = os.geteuid() == 0 and not subprocess.run(command, capture_output=True).returncode
    try:
        yield Disk(path, own)
    finally:
        if own:
            subprocess.run(["umount", "-l", str(path)], check=True)
