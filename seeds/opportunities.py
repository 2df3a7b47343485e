"""The demo's sales under way, its types of training, and a session soon where not everybody was written to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from documents import blobs
from extensions import db
from models import (
    Contact,
    Document,
    DocumentKind,
    Opportunity,
    Organisation,
    Programme,
    Stage,
    StageChange,
    TrainingSession,
    TrainingType,
    User,
)
from people import opportunities, training

# title, stage, amount, days from today to the expected signature, how many days ago it began, notes
_SALES: tuple[tuple[str, Stage, str | None, int | None, int, str], ...] = (
    ("Secourisme pour l'équipe de nuit", Stage.LEAD, None, None, 2, "Appel entrant ; rappeler après 14 h."),
    ("Habilitation électrique, 8 personnes", Stage.LEAD, "2480", 40, 6, ""),
    ("Anglais professionnel, cycle long", Stage.QUALIFIED, "6900", 30, 15, "Veulent deux groupes de niveau."),
    ("Gestes et postures à l'atelier", Stage.QUALIFIED, "1180", 21, 20, ""),
    ("Management de proximité, 2 sessions", Stage.QUOTED, "4720", 12, 33, "Devis discuté avec la direction."),
    ("Accueil et relation client", Stage.QUOTED, "1390.50", 9, 27, ""),
    ("Excel : perfectionnement", Stage.WON, "2070", -10, 60, ""),
    ("Hygiène alimentaire (HACCP)", Stage.WON, "3450", -25, 75, ""),
    ("Prise de parole en public", Stage.LOST, "980", -15, 80, "Partis chez un confrère, pour la date."),
)
_TYPES = {
    "Inter-entreprises": ["convocation", "evaluation_hot", "certificate"],
    "Réglementaire": ["programme", "convocation", "rules", "evaluation_hot", "certificate", "attendance_certificate"],
}


def soon(session: TrainingSession, learners: Sequence[Contact], others: Sequence[Contact]) -> list[Contact]:
    """Enrol people in a session that starts tomorrow; those given back were written to in time."""
    people = [*learners[3:9]]
    training.enrol(session, [*people, *others])
    return people[:4]


def keep(organisation: Organisation, companies: Sequence[Contact], today: date) -> None:
    """Sales with those companies, quotes with two of them, and types of training; the caller commits."""
    users = list(db.session.scalars(select(User).where(User.organisation_id == organisation.id).order_by(User.id)))
    for place, (title, stage, amount, expected, ago, notes) in enumerate(_SALES):
        began = datetime.now(UTC) - timedelta(days=ago)
        made = Opportunity(
            organisation_id=organisation.id, contact_id=companies[place % len(companies)].id, stage=stage,
            created_at=began,
        )  # fmt: skip
        by = users[place % len(users)]
        opportunities.save(
            made, by, title=title, amount=Decimal(amount) if amount else None, owner_id=by.id, notes=notes,
            expected_on=today + timedelta(days=expected) if expected is not None else None,
        )  # fmt: skip
        _past(made, by, began, stage)
        if stage in (Stage.QUOTED, Stage.WON):
            _quote(made, by, began + timedelta(days=4))
    _types(organisation)


def _past(made: Opportunity, by: User, began: datetime, stage: Stage) -> None:
    """The stages before the one it is at, a few days apart."""
    db.session.flush()
    db.session.query(StageChange).filter_by(opportunity_id=made.id).delete()
    path = [one for one in Stage if one not in (Stage.WON, Stage.LOST)]
    passed = path[: path.index(stage) + 1] if stage in path else [*path, stage]
    for step, one in enumerate(passed):
        db.session.add(StageChange(
            organisation_id=made.organisation_id, opportunity_id=made.id, stage=one, by_id=by.id,
            created_at=min(began + timedelta(days=5 * step), datetime.now(UTC)),
        ))  # fmt: skip


def _quote(made: Opportunity, by: User, at: datetime) -> None:
    name = f"Devis {made.public_id[2:]}.pdf"
    data = _pdf(made.title, f"{made.amount:.2f} EUR")
    db.session.add(Document(
        organisation_id=made.organisation_id, opportunity_id=made.id, kind=DocumentKind.UPLOADED, filename=name,
        sha256=blobs.store(data, name).sha256, made_by_id=by.id, created_at=at,
    ))  # fmt: skip


def _pdf(*lines: str) -> bytes:
    """A small page with those lines, typeset by nobody: what somebody would have uploaded."""
    import typst

    source = "#set page(margin: 3cm)\n#set text(size: 12pt, lang: \"fr\")\n= Devis\n" + "\n\n".join(
        "#" + _quoted(line) for line in lines
    )
    return bytes(typst.compile(source.encode()))


def _quoted(line: str) -> str:
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _types(organisation: Organisation) -> None:
    made = [TrainingType(organisation_id=organisation.id, name=name, required=list(r)) for name, r in _TYPES.items()]
    db.session.add_all(made)
    db.session.flush()
    query = select(Programme).where(Programme.organisation_id == organisation.id).order_by(Programme.id)
    for place, programme in enumerate(db.session.scalars(query)):
        if place % 4 in (0, 2):
            programme.training_type_id = made[place % 4 // 2].id
