"""What the demo has for retention: an e-mail of six years ago whose words and file the rule has erased since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from documents import blobs
from mail.compose import File
from models import Contact, Organisation
from planning import retention
from seeds.load import letter_of
from seeds.stories import STORIES

_AGO = timedelta(days=6 * 365 + 40)


def keep(organisation: Organisation, customer: Contact) -> None:
    """Write to that customer long ago; it was received. Then erase what is too old."""
    at = datetime.now(UTC) - _AGO
    text = f"Bonjour,\n\nVoici le bilan pédagogique de l'année {at.year - 1}.\n\n{organisation.name}\n"
    name = f"Bilan pédagogique {at.year - 1}.txt"
    stored = blobs.store(f"Bilan pédagogique {at.year - 1}\n{organisation.name}\n".encode(), name)
    file = File(name, stored.sha256, stored.size, stored.media_type)
    subject = f"Bilan pédagogique {at.year - 1}"
    letter_of(organisation, customer, at, None, subject, text, (file,), STORIES["delivered"])
    retention.erase(organisation.id)
