"""What gateways, gates and mailboxes do to a message on its way: the same message in other clothes.

Each function takes raw bytes with LF ends and gives raw bytes; a reader must say the same of both.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Callable
from html import escape

Mutation = Callable[[bytes], bytes]


def _split(raw: bytes) -> tuple[bytes, bytes]:
    head, _, body = raw.partition(b"\n\n")
    return head, body


def _is_text(head: bytes) -> bool:
    return b"content-type:" not in head.lower()


def crlf(raw: bytes) -> bytes:
    return raw.replace(b"\n", b"\r\n")


def cr(raw: bytes) -> bytes:
    return raw.replace(b"\n", b"\r")


def mbox(raw: bytes) -> bytes:
    return b"From MAILER-DAEMON Sun Nov 22 10:32:07 2026\n" + raw


def more_headers(raw: bytes) -> bytes:
    return (
        b"Return-Path: <>\nDelivered-To: retours@cassiopee.example\nReceived: from a (b [192.0.2.1])\n\tby c;"
        b" Sun, 22 Nov 2026 10:32:07 +0100\nX-Spam-Status: No, score=-1.9\n\ttests=BAYES_00\n"
        b"X-Virus-Scanned: by c\n" + raw
    )


def fewer_headers(raw: bytes) -> bytes:
    head, body = _split(raw)
    kept = [line for line in head.split(b"\n") if not re.match(rb"(?i)(date|message-id|mime-version):", line)]
    return b"\n".join(kept) + b"\n\n" + body


def folded_headers(raw: bytes) -> bytes:
    head, body = _split(raw)
    return re.sub(rb"(?m)^(Subject|From|To): (\S+) ", rb"\1: \2\n ", head) + b"\n\n" + body


def shouted_names(raw: bytes) -> bytes:
    head, body = _split(raw)
    return re.sub(rb"(?m)^([A-Za-z\-]+):", lambda m: m[1].upper() + b":", head) + b"\n\n" + body


def quoted_printable(raw: bytes) -> bytes:
    head, body = _split(raw)
    if not _is_text(head):
        return raw
    coded = quopri.encodestring(body)
    return head + b"\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + coded


def in_base64(raw: bytes) -> bytes:
    head, body = _split(raw)
    if not _is_text(head):
        return raw
    coded = base64.encodebytes(body)
    return head + b"\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + coded


def latin(raw: bytes) -> bytes:
    head, body = _split(raw)
    try:
        coded = body.decode().encode("windows-1252")
    except UnicodeError:
        return raw
    if not _is_text(head):
        return raw
    return head + b"\nContent-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: 8bit\n\n" + coded


def encoded_subject(raw: bytes) -> bytes:
    def code(m: re.Match[bytes]) -> bytes:
        return b"Subject: =?utf-8?B?" + base64.b64encode(m[1]) + b"?="

    head, body = _split(raw)
    return re.sub(rb"(?m)^Subject: (.+)$", code, head) + b"\n\n" + body


def page(raw: bytes) -> bytes:
    """The words as a page; what followed them as headers stays as lines."""
    head, body = _split(raw)
    if not _is_text(head):
        return raw
    lines = "<br>\n".join(escape(line) for line in body.decode().split("\n"))
    style = "<style>p { color: red }</style>"
    html = f"<html><head><title>Report</title>{style}</head><body><p>{lines}</p></body></html>"
    return head + b"\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n" + html.encode()


def both(raw: bytes) -> bytes:
    """Words and page, as most agents send them."""
    head, body = _split(raw)
    if not _is_text(head):
        return raw
    html = "<html><body>" + "<br>".join(escape(line) for line in body.decode().split("\n")) + "</body></html>"
    text, pages = (b"\n--alt\nContent-Type: text/%s; charset=utf-8\n\n" % kind for kind in (b"plain", b"html"))
    kind = b'\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="alt"\n\n'
    return head + kind + text + body + pages + html.encode() + b"\n--alt--\n"


def banner(raw: bytes) -> bytes:
    """A gateway's warning above the words."""
    head, body = _split(raw)
    if not _is_text(head):
        return raw
    return head + b"\n\n[EXTERNAL] This message comes from outside. Do not click links you do not trust.\n\n" + body


def footer(raw: bytes) -> bytes:
    """A disclaimer below the words."""
    head, body = _split(raw)
    if not _is_text(head):
        return raw
    return head + b"\n\n" + body + b"\n--\nThis e-mail is confidential. Questions: privacy@mx.example\n"


def trailing_spaces(raw: bytes) -> bytes:
    head, body = _split(raw)
    return head + b"\n\n" + re.sub(rb"(?m)^(?!--)(.+)$", rb"\1  ", body)


def truncated(raw: bytes) -> bytes:
    """A gateway that cuts what follows the report: the closing boundary is lost."""
    return raw.removesuffix(b"--=_b--\n")


MUTATIONS: dict[str, Mutation] = {
    f.__name__: f
    for f in (
        crlf, cr, mbox, more_headers, fewer_headers, folded_headers, shouted_names, quoted_printable, in_base64, latin,
        encoded_subject, page, both, banner, footer, trailing_spaces, truncated,
    )
}  # fmt: skip
