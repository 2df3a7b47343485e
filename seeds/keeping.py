"""What the demo has for retention: an e-mail of six years ago whose words and file the rule has erased since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from markupsafe import escape
from sqlalchemy import select

from documents import blobs
from extensions import db
from mail.compose import Draft, File
from models import Address, Contact, Organisation, Sender, User
from models.words import Role
from planning import retention
from seeds.load import Loader, Plan
from seeds.stories import STORIES

_AGO = timedelta(days=6 * 365 + 40)


def keep(organisation: Organisation, customer: Contact) -> None:
    """Write to that customer long ago; it was received. Then erase what is too old."""
    sender = db.session.scalars(select(Sender).where(Sender.organisation_id == organisation.id)).one()
    by = db.session.scalars(
        select(User).where(User.organisation_id == organisation.id, User.role == Role.STAFF)
    ).one()  # fmt: skip
    known = select(Address).where(
        Address.organisation_id == organisation.id, Address.address == customer.email, Address.name == customer.name
    )
    address = db.session.scalar(known)
    if address is None:
        address = Address(
            organisation_id=organisation.id, address=customer.email, name=customer.name,
            domain=customer.email.rpartition("@")[2],
        )  # fmt: skip
        db.session.add(address)
        db.session.flush()
    at = datetime.now(UTC) - _AGO
    text = f"Bonjour,\n\nVoici le bilan pédagogique de l'année {at.year - 1}.\n\n{organisation.name}\n"
    html = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line)
    name = f"Bilan pédagogique {at.year - 1}.txt"
    stored = blobs.store(f"Bilan pédagogique {at.year - 1}\n{organisation.name}\n".encode(), name)
    draft = Draft(
        customer.email, customer.name, customer.id, None, "free", f"Bilan pédagogique {at.year - 1}", html, text,
        (File(name, stored.sha256, stored.size, stored.media_type),),
    )  # fmt: skip
    db.session.commit()
    with Loader(organisation, sender, by) as loader:
        loader.write([Plan(draft, address.id, at, STORIES["delivered"])])
    retention.erase(organisation.id)
