"""Making the folders of a data folder, and keeping other people out of them.

Promises to change the mode of no folder that it did not make, but for one step: as root, PostgreSQL's user has to
walk through the data folder, so the right to pass (not to look) is added there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from local.processes import CannotStart
from places import Places


def prepare(places: Places) -> None:
    """The data folder, and in it what only we may enter. Safe to repeat. Raises CannotStart or OSError."""
    passable = os.geteuid() == 0
    ours = 0o711 if passable else 0o700
    places.data.mkdir(parents=True, exist_ok=True, mode=ours)
    mode = stat.S_IMODE(places.data.stat().st_mode)
    if passable and not mode & stat.S_IXOTH:
        places.data.chmod(mode | stat.S_IXOTH)
    for elsewhere in {places.cluster.parent, places.run.parent} - {places.data}:
        private_folder(elsewhere, ours)
    private_folder(places.run, ours)
    for folder in (places.logs, places.blobs, places.maildir.parent):
        private_folder(folder)


def private_folder(folder: Path, mode: int = 0o700, owner: tuple[int, int] | None = None) -> Path:
    """Make `folder` (parents too) ours with `mode`, or refuse one that someone else put in its place.

    `owner` is (uid, gid) of who shall own it. Raises CannotStart.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    allowed = {os.geteuid()} | ({owner[0]} if owner else set())
    if folder.is_symlink() or found.st_uid not in allowed:
        raise CannotStart(f"{folder} belongs to someone else: remove it or choose another SILLAGE_DATA.")
    if owner and found.st_uid != owner[0]:
        os.chown(folder, *owner)
    if found.st_mode & 0o777 != mode:
        folder.chmod(mode)
    return folder
