"""Messages in the manner of many mail systems, written for these tests: what they say, never what anybody sent."""

from __future__ import annotations

from textwrap import dedent

US = "retours@cassiopee.example"


def letter(sender: str, subject: str, body: str, *, to: str = US, **headers: str) -> bytes:
    """A message of text: `headers` are added with _ for -, `body` may be indented as the code is."""
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}", "Date: Sun, 22 Nov 2026 10:32:07 +0100"]
    lines += ["Message-ID: <report-1@mx.example>"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\n".join(lines) + "\n\n" + dedent(body).lstrip("\n")).encode()


ORIGINAL = """
Received: from cassiopee.example by mx.example; Sun, 22 Nov 2026 10:32:04 +0100
Message-ID: <e-1@cassiopee.example>
From: Atelier Cassiopée <bonjour@cassiopee.example>
To: {to}
Subject: Convocation
Date: Sun, 22 Nov 2026 10:32:04 +0100
MIME-Version: 1.0

Bonjour,
"""


def with_original(body: str, to: str = "marie@client.example") -> str:
    return dedent(body).lstrip("\n") + ORIGINAL.format(to=to)
