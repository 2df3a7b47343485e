"""Header values: what may stand in one, and how it is written (RFC 2047, RFC 5322, IDNA).

Nothing with a line end gets past one_line(); the spliced values are held equal to the standard library's by a test.
"""

from __future__ import annotations

import base64
import re

import idna

from errors import UserMistake
from models.words import N_

_PLAIN_SUBJECT = re.compile(r"[!-~](?:[ -~]{0,64}[!-~])?")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 '-]{0,50}[A-Za-z0-9])?")
_UNWANTED = re.compile("[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]")


def one_line(value: str, field: str | None = None) -> str:
    """The value, if it may stand in a header. Raises UserMistake for line ends and control characters."""
    if _UNWANTED.search(value):
        raise UserMistake(N_("Un retour à la ligne ou un caractère de contrôle n'est pas permis ici."), field)
    return value


def file_name(value: str) -> str:
    """An attachment's name. An encoded word in it would be read as something else by some mail programs."""
    if "=?" in value:
        raise UserMistake(
            N_("Ce nom de fichier n'est pas permis ; renommez le fichier : %(name)s"), "files", name=value
        )
    return one_line(value, "files")


def wire_address(address: str) -> tuple[str, bool]:
    """The address as SMTP takes it (domain in IDNA) and whether it needs SMTPUTF8 (local part beyond ASCII)."""
    local, at, domain = one_line(address).rpartition("@")
    if not at or not local or not domain or len(address) > 320 or re.search(r"[\s<>,;\"()\\]", address):
        raise UserMistake(N_("Cette adresse e-mail n'est pas valide : %(address)s"), "email", address=address)
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            message = N_("Cette adresse e-mail n'est pas valide : %(address)s")
            raise UserMistake(message, "email", address=address) from error
    return f"{local}@{domain}", not local.isascii()


def encoded_words(value: str) -> list[str]:
    """RFC 2047: UTF-8 in base64, 75 characters a word at most, no character cut in two."""
    words, start, room = [], 0, 0
    for index, char in enumerate(value):
        width = len(char.encode())
        if room + width > 42:
            words.append(value[start:index])
            start, room = index, 0
        room += width
    words.append(value[start:])
    return [f"=?utf-8?b?{base64.b64encode(w.encode()).decode()}?=" for w in words]


def subject_header(subject: str) -> str:
    """The value of Subject, folded; plain where that says the same."""
    if _PLAIN_SUBJECT.fullmatch(subject) and "=?" not in subject and "  " not in subject:
        return subject
    return "\r\n ".join(encoded_words(one_line(subject, "subject"))) if subject else ""


def mailbox(name: str, address: str) -> str:
    """`Name <address>`, folded, the name encoded where it must be."""
    if not name:
        return address
    if _PLAIN_NAME.fullmatch(name) and "  " not in name:
        return f"{name} <{address}>" if len(name) + len(address) < 70 else f"{name}\r\n <{address}>"
    return "\r\n ".join([*encoded_words(one_line(name, "name")), f"<{address}>"])


def message_id_header(message_id: str) -> str:
    """The Message-ID in its angle brackets."""
    return message_id if message_id.startswith("<") else f"<{message_id}>"
