"""A server on loopback that speaks what we need of S3, written from its documentation, and trusts no signature unread.

Objects in memory, ListObjectsV2 in pages of three, multipart uploads that are nothing until complete, ranges. Every
request's signature (version 4) is worked out anew: a wrong secret, date, header or body is a 403. What it has sent is
counted, and it can be told to fail.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

REGION, KEY, SECRET = "eu-west-3", "TESTKEY", "the tests' own secret"
_LISTED = 3
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass
class Bucket:
    """What is kept, and what was asked. `refuse` answers that many requests by 503 first."""

    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    refuse: int = 0
    refuse_parts: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class S3Server:
    """With it as a context there is a bucket named `attachments` at `url`."""

    def __init__(self) -> None:
        self.bucket = Bucket()
        handler = type("Handler", (_Handler,), {"bucket": self.bucket})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def settings(self, prefix: str = "sillage/kept", secret: str = SECRET) -> dict[str, Any]:
        """What config.Config wants to know of it."""
        return {
            "blobs_url": f"s3://attachments/{prefix}", "s3_endpoint": self.url, "s3_region": REGION,
            "s3_access_key_id": KEY, "s3_secret_access_key": secret,
        }  # fmt: skip

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        where = urlsplit(self.path)
        asked = dict(parse_qsl(where.query, keep_blank_values=True))
        name = unquote(where.path).removeprefix("/attachments").lstrip("/")
        with self.bucket.lock:
            self.bucket.asked.append((self.command, self.path))
            refused, self.bucket.refuse = self.bucket.refuse > 0, max(0, self.bucket.refuse - 1)
        if refused:
            return self._say(503, _error("SlowDown"))
        if not self._signed(where.path, where.query, body):
            return self._say(403, _error("SignatureDoesNotMatch"))
        if not where.path.startswith("/attachments"):
            return self._say(404, _error("NoSuchBucket"))
        with self.bucket.lock:
            status, answer, headers = self._answer(name, asked, body)
        return self._say(status, answer, headers)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _answer(self, name: str, asked: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        kept = self.bucket
        if self.command == "PUT" and "uploadId" in asked:
            if kept.refuse_parts:
                return 403, _error("QuotaExceeded"), {}
            kept.uploads[asked["uploadId"]][int(asked["partNumber"])] = body
            return 200, b"", {"ETag": _tag(body)}
        if self.command == "PUT":
            kept.objects[name] = (body, datetime.now(UTC))
            return 200, b"", {"ETag": _tag(body)}
        if self.command == "POST" and "uploads" in asked:
            upload = uuid.uuid4().hex
            kept.uploads[upload] = {}
            said = f"<Bucket>attachments</Bucket><Key>{escape(name)}</Key><UploadId>{upload}</UploadId>"
            return 200, _xml("InitiateMultipartUploadResult", said), {}
        if self.command == "POST" and "uploadId" in asked:
            parts = kept.uploads.pop(asked["uploadId"])
            whole = b"".join(parts[number] for number in sorted(parts))
            kept.objects[name] = (whole, datetime.now(UTC))
            return 200, _xml("CompleteMultipartUploadResult", f"<ETag>{escape(_tag(whole))}</ETag>"), {}
        if self.command == "DELETE" and "uploadId" in asked:
            kept.uploads.pop(asked["uploadId"], None)
            return 204, b"", {}
        if self.command == "POST" and "delete" in asked:
            names = [unescape(found) for found in re.findall(r"<Key>(.*?)</Key>", body.decode())]
            for one in names:
                kept.objects.pop(one, None)
            said = "".join(f"<Deleted><Key>{escape(one)}</Key></Deleted>" for one in names)
            return 200, _xml("DeleteResult", said), {}
        if self.command == "GET" and asked.get("list-type") == "2":
            return 200, self._listed(asked), {}
        if self.command in ("GET", "HEAD"):
            return self._object(name)
        return 405, _error("MethodNotAllowed"), {}

    def _object(self, name: str) -> tuple[int, bytes, dict[str, str]]:
        if name not in self.bucket.objects:
            return 404, _error("NoSuchKey"), {}
        data, at = self.bucket.objects[name]
        headers = {"ETag": _tag(data), "Last-Modified": format_datetime(at, usegmt=True), "Accept-Ranges": "bytes"}
        wanted = self.headers.get("Range")
        if wanted is None:
            return 200, data, headers
        first, _dash, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data)), len(data) - 1)
        if start >= len(data):
            return 416, _error("InvalidRange"), {}
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        return 206, data[start : end + 1], headers

    def _listed(self, asked: dict[str, str]) -> bytes:
        after = asked.get("continuation-token", "")
        names = sorted(n for n in self.bucket.objects if n.startswith(asked.get("prefix", "")) and n > after)
        page = names[:_LISTED]
        said = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(_tag(data))}</ETag><Size>{len(data)}</Size></Contents>"
            for name, (data, at) in ((name, self.bucket.objects[name]) for name in page)
        )
        more = len(names) > len(page)
        said += f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        if more:
            said += f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        return _xml("ListBucketResult", f"<Name>attachments</Name>{said}")

    def _signed(self, path: str, query: str, body: bytes) -> bool:
        """Whether the request bears the signature that its words and our secret make (Signature Version 4)."""
        how, _blank, rest = self.headers.get("Authorization", "").partition(" ")
        said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        key, _slash, scope = said.get("Credential", "").partition("/")
        stamp, payload = self.headers.get("x-amz-date", ""), self.headers.get("x-amz-content-sha256", "")
        if how != "AWS4-HMAC-SHA256" or key != KEY or scope != f"{stamp[:8]}/{REGION}/s3/aws4_request":
            return False
        if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            return False
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(at.timestamp() - time.time()) > 900:
            return False
        names = said["SignedHeaders"].split(";")
        pairs = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in parse_qsl(query, keep_blank_values=True))
        canonical = "\n".join([
            self.command, path, "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(self.headers.get(name, '').split())}" for name in names),
            "", said["SignedHeaders"], payload,
        ])  # fmt: skip
        to_sign = "\n".join([how, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        secret = b"AWS4" + SECRET.encode()
        for word in scope.split("/"):
            secret = hmac.digest(secret, word.encode(), "sha256")
        return hmac.compare_digest(hmac.new(secret, to_sign.encode(), "sha256").hexdigest(), said["Signature"])

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with self.bucket.lock:
                self.bucket.sent += len(body)
            self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        """Nothing on standard error."""


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _xml(name: str, inside: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</{name}>'.encode()


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
