"""What someone wants to write becomes one draft per recipient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A named attachment whose bytes are already in documents.blobs; `size` in bytes."""

    filename: str
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True)
class Draft:
    """One e-mail to one recipient, rendered: what mail.post takes. `recipient` is the address, `name` the display
    name; `type` is an EmailType's value; `html` may be empty (then the message is plain text)."""

    recipient: str
    name: str
    contact_id: int | None
    training_session_id: int | None
    type: str
    subject: str
    html: str
    text: str
    files: tuple[File, ...] = ()
