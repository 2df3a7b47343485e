"""The demo's templates: the house's words for both organisations, two events switched on, one text with a history."""

from __future__ import annotations

import struct
import zlib

from sqlalchemy import select, update

from documents import blobs
from extensions import db
from mail import template_versions, templates
from models import Organisation, Template, User
from models.words import EmailType, Role

_SWITCHED_ON = (EmailType.CARD_EXPIRED, EmailType.INVOICE_ISSUED_TO_PAY)


def keep(organisation: Organisation | None, accent: str, logo: bool = False) -> None:
    """Give an organisation that has none its templates, and its look; the caller commits."""
    if organisation is None or not templates.ensure_defaults(organisation):
        return
    switched_on = Template.type.in_([type.value for type in _SWITCHED_ON])
    db.session.execute(
        update(Template).where(Template.organisation_id == organisation.id, switched_on).values(enabled=True)
    )
    organisation.accent = accent
    if logo:
        organisation.logo_sha256 = blobs.store(_logo(accent), "logo.png", in_letters=True).sha256
        _history(organisation)


def _history(organisation: Organisation) -> None:
    """The evaluation at the end, rewritten twice, by two people."""
    template = templates.find(organisation.id, EmailType.EVALUATION_HOT.value)
    people = {u.role: u for u in db.session.scalars(select(User).where(User.organisation_id == organisation.id))}
    if template is None or Role.ADMIN not in people or Role.MANAGER not in people:
        return
    columns = template_versions.columns_of(templates.newest(template))
    second = columns | {
        "message_fr": columns["message_fr"].replace(
            "Votre avis nous aide à l’améliorer\u00a0: trois minutes suffisent.",
            "Votre avis nous aide à l’améliorer, et trois minutes suffisent pour le donner.",
        ).replace("Merci d’avance.", "Vos réponses restent entre nous et l’intervenant."),
    }  # fmt: skip
    template_versions.save(template, second, base=1, by=people[Role.MANAGER], note="Dire qui lit les réponses")
    subject = "Trois minutes pour nous dire ce que vous avez pensé de «\u00a0{{ session.titre }}\u00a0»"
    third = second | {"subject_fr": subject}
    template_versions.save(template, third, base=2, by=people[Role.ADMIN], note="Un objet qui se remarque")


def _logo(accent: str, width: int = 360, height: int = 96) -> bytes:
    """A small drawing as PNG: five stars of a W in the organisation's colour, on nothing."""
    colour = bytes(int(accent[at : at + 2], 16) for at in (1, 3, 5))
    stars = ((40, 26, 13), (112, 70, 10), (184, 30, 15), (252, 68, 10), (322, 24, 12))
    lines = [(stars[n][:2], stars[n + 1][:2]) for n in range(4)]

    def shade(x: int, y: int) -> int:
        """How opaque a pixel is, 0 to 255."""
        best = 0.0
        for sx, sy, radius in stars:
            best = max(best, min(1.0, radius + 0.5 - ((x - sx) ** 2 + (y - sy) ** 2) ** 0.5))
        for (ax, ay), (bx, by) in lines:
            length = (bx - ax) ** 2 + (by - ay) ** 2
            along = max(0.0, min(1.0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
            away = ((x - ax - along * (bx - ax)) ** 2 + (y - ay - along * (by - ay)) ** 2) ** 0.5
            best = max(best, min(1.0, 2.0 - away))
        return round(255 * max(0.0, best))

    rows = b"".join(
        b"\0" + b"".join(colour + bytes((shade(x, y),)) for x in range(width)) for y in range(height)
    )  # fmt: skip
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )  # fmt: skip
