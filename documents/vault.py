"""Where the bytes of blobs lie: a folder, or a bucket that speaks S3 (BLOBS_URL), under ab/cd/sha256 in both.

Bytes are put whole or not at all, and read in ranges, so that a slow reader holds no connection and never more than one
range of a file is in memory. What is gone raises Permanent; a full disk or a store that is away, Temporary. What a blob
is called, and its row, belong to documents.blobs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from config import Config
from errors import Permanent, Temporary
from extensions import settings

RANGE = 4 * 1024 * 1024  # read at once; most attachments are smaller
_PART = 5 * 1024 * 1024  # S3 takes no smaller parts but the last
_PARTS_AT_ONCE = 2
_LISTED = 1000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Kept:
    """A file of the store. `sha256` is None for one whose name is none that we give; `size` in bytes."""

    path: str
    sha256: str | None
    size: int
    modified_at: datetime


def key(sha256: str) -> str:
    """Where a blob lies."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not a sha256 in lower-case hexadecimal")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


@lru_cache(maxsize=8)
def _folder(path: Path) -> LocalStore:
    return LocalStore(path, mkdir=True)


@lru_cache(maxsize=8)
def _bucket(config: Config) -> S3Store:
    where = urlsplit(config.blobs_url)
    named = {
        "endpoint": config.s3_endpoint, "region": config.s3_region,
        "access_key_id": config.s3_access_key_id, "secret_access_key": config.s3_secret_access_key,
    }  # fmt: skip
    # What is not named here comes from the machine: the AWS_* variables, a role, a token of its own.
    return S3Store(
        where.netloc,
        prefix=where.path.strip("/") or None,
        config=cast(Any, {name: value for name, value in named.items() if value}),
        client_options={
            "allow_http": (config.s3_endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=30),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )  # fmt: skip


def _store() -> LocalStore | S3Store:
    config = settings()
    return _bucket(config) if config.blobs_url else _folder(config.blob_folder)


@contextmanager
def _reached(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Permanent(f"blob {what} is not in the store") from error
    except (BaseError, OSError) as error:
        raise Temporary(f"blob {what}: {str(error).partition(chr(10))[0]}") from error


def put(sha256: str, data: IO[bytes]) -> None:
    """Keep these bytes, whole or not at all. The same bytes by two at once are the same bytes."""
    with _reached(sha256):
        obstore.put(_store(), key(sha256), data, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)


def delete(sha256: str) -> None:
    """Let those bytes go; what is gone already is gone."""
    with suppress(Permanent), _reached(sha256):
        obstore.delete(_store(), key(sha256))


def size(sha256: str) -> int | None:
    """How many bytes are kept under that name; None where there are none."""
    try:
        with _reached(sha256):
            return int(obstore.head(_store(), key(sha256))["size"])
    except Permanent:
        return None


def head(sha256: str, size: int) -> bytes:
    """The first `size` bytes kept under that name, or all there are. Raises Permanent where there are none."""
    with _reached(sha256):
        return _range(_store(), sha256, 0, size)[0]


def pieces(sha256: str) -> Iterator[bytes]:
    """The bytes kept under that name, range by range. Raises Permanent, at the first, where there are none."""
    store, start = _store(), 0  # asked once: the rest may be read after the request is over
    while True:
        with _reached(sha256):
            piece, whole = _range(store, sha256, start)
        start += len(piece)
        yield piece
        if start >= whole:
            return


def _range(store: LocalStore | S3Store, sha256: str, start: int, most: int = RANGE) -> tuple[bytes, int]:
    """The range that begins at `start`, and the size of the whole."""
    try:
        found = obstore.get(store, key(sha256), options={"range": (start, start + most)})
        return bytes(found.bytes()), int(found.meta["size"])
    except BaseError:
        if start == 0 and obstore.head(store, key(sha256))["size"] == 0:
            return b"", 0  # a range of nothing is none: the file has been torn
        raise


def kept() -> Iterator[Kept]:
    """Every file of the store, in no order."""
    try:
        for batch in obstore.list(_store(), chunk_size=_LISTED):
            for found in batch:
                path = str(found["path"])
                name = path.rpartition("/")[2]
                ours = _SHA256.fullmatch(name) is not None and path == key(name)
                yield Kept(path, name if ours else None, int(found["size"]), found["last_modified"])
    except (BaseError, OSError) as error:
        raise Temporary(f"the store cannot be listed: {str(error).partition(chr(10))[0]}") from error
