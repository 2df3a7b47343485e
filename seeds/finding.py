"""What the demo keeps to find e-mails again: tags, countries, offers, three segments, two saved views."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from extensions import db
from history import segments, views
from history.segments import Last, Rule
from models import Contact, Organisation, Segment, User
from models.words import ContactKind, Role

_OFFERS = ("Essentiel", "Équipe", "Sur mesure")
_COUNTRIES = ("FR", "FR", "FR", "BE", "CH")
_TAGS = (["fidèle"], [], ["fidèle", "presse"], [], ["prospect"])


def keep(organisation: Organisation, customers: Sequence[Contact], learners: Sequence[Contact]) -> None:
    """Give them to a new organisation whose contacts have their ids; the caller commits."""
    for place, contact in enumerate(customers):
        contact.offer, contact.country = _OFFERS[place % 3], _COUNTRIES[place % 5]
    for place, contact in enumerate([*customers, *learners]):
        contact.tags = list(_TAGS[place % 5])
    rules = {
        "Fidèles": Rule(tag=("fidèle",)),
        "Formés depuis moins de deux mois": Rule(kind=(ContactKind.LEARNER.value,), last=Last.WITHIN, days=60),
    }
    made = [Segment(organisation_id=organisation.id, name=name, rule=rule.write()) for name, rule in rules.items()]
    chosen = Segment(organisation_id=organisation.id, name="À rappeler")
    db.session.add_all([*made, chosen])
    db.session.flush()
    segments.add(chosen, learners[:4])
    people = {
        user.role: user for user in db.session.scalars(select(User).where(User.organisation_id == organisation.id))
    }
    views.keep(people[Role.ADMIN], "En erreur, à traiter", "treated=no", shared=True, pinned=True)
    views.keep(people[Role.STAFF], "Convocations du mois", "type=convocation&period=month")
