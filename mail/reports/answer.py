"""A report in the shape that `flask classify` prints (one JSON object a file)."""

from __future__ import annotations

from pathlib import Path

from mail.reports.reader import read
from mail.reports.report import Report

_KINDS = {"relayed": "delivered"}


def as_dict(report: Report, file: str = "") -> dict:
    """`report` as {"file","kind","recipients":[{"address","action","status","reason","address_dead"}],"message_id",
    "envid"}; relayed and expanded reports are of kind "delivered", their action says which."""
    return {
        "file": file,
        "kind": _KINDS.get(report.kind, report.kind),
        "recipients": [
            {
                "address": r.address,
                "action": r.action,
                "status": r.status,
                "reason": r.reason.value if r.reason else None,
                "address_dead": r.address_dead,
            }
            for r in report.recipients
        ],
        "message_id": report.message_id,
        "envid": report.envid,
    }


def classify(message: bytes | str | Path) -> dict:
    """The answer for one message, given as bytes or as a file's path. OSError when the file can't be read."""
    if isinstance(message, bytes):
        return as_dict(read(message))
    return as_dict(read(Path(message).read_bytes()), str(message))
