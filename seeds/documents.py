"""The demo's programmes, prices, documents and evaluations: what a few months of work leave behind.

Everything is made by the verbs that screens use, then dated back to the day it would have been made.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import select

from documents import blobs, evaluations, questions, store
from extensions import db
from mail.compose import File
from models import Contact, DocumentKind, EvaluationMoment, Organisation, Programme, TrainingSession, User
from models.words import ContactKind
from people import contacts, programmes, training

_WORDS = (
    ("utiles", "Repartir avec des gestes simples à appliquer dès le lendemain."),
    ("clairs", "Des exemples de notre métier seraient un plus."),
    ("bien", "Très bonne ambiance, formatrice à l'écoute."),
    ("", ""), ("", ""), ("rythme", "Un peu rapide l'après-midi."),
)  # fmt: skip


def describe(organisation: Organisation, sessions: Iterable[TrainingSession]) -> None:
    """A programme for each title, and a price; a funder for some."""
    known: dict[str, Programme] = {}
    funder = contacts.save(
        Contact(organisation_id=organisation.id, kind=ContactKind.FUNDER), name="OPCO Ouest Compétences",
        email="dossiers@opco-ouest.example", phone="02 40 11 22 33", reference="FIN-0042",
    )  # fmt: skip
    db.session.flush()
    for number, run in enumerate(sessions):
        if run.title not in known:
            hours = 7 if len(run.modules) <= 2 else 14
            known[run.title] = programmes.save(
                Programme(), organisation.id, title=run.title, reference=run.reference.rsplit("-", 2)[0],
                duration_hours=hours, audience="Toute personne qui accueille du public ou travaille en équipe.",
                prerequisites="Aucun.", methods=(
                    "Exposés courts, mises en situation, échanges entre participants.\n\n"
                    "Positionnement avant la formation, exercices pendant, évaluation à chaud puis à froid."
                ),
                objectives=(
                    "À l'issue de la formation, la personne sait :\n- reconnaître les situations courantes\n"
                    "- appliquer les bons gestes et les bonnes paroles\n- transmettre ce qu'elle a observé"
                ),
                content=(
                    "Première demi-journée\n- attentes et expériences de chacun\n- repères et vocabulaire\n\n"
                    "Deuxième demi-journée\n- mises en situation\n- plan d'action personnel"
                ),
            )  # fmt: skip
            db.session.flush()
        run.programme_id, run.price = known[run.title].id, Decimal(690 if len(run.modules) <= 2 else 1180)
        if number % 3 == 0:
            training.enrol(run, [funder])
    db.session.flush()


def attached(kind: DocumentKind, run: TrainingSession, contact: Contact, at: datetime) -> tuple[File, ...]:
    """This person's document of that kind as it was made the day before it was sent."""
    (ready,) = store.files([kind.value], run, contact)
    if ready.document.created_at > at:
        ready.document.created_at = at - timedelta(hours=18)
    return (File(ready.filename, ready.sha256, ready.size, ready.media_type),)


def fill(organisation: Organisation, plans: Sequence[tuple[TrainingSession, list[Contact]]]) -> None:
    """Documents of the whole session, an uploaded one, and who answered which evaluation."""
    chance = random.Random(29)
    query = select(User).where(User.organisation_id == organisation.id).order_by(User.id)
    by = db.session.scalars(query.limit(1)).one()
    now = datetime.now(UTC)
    for number, (run, learners) in enumerate(plans):
        assert run.starts_on is not None and run.ends_on is not None
        if number % 2 == 0:
            made = store.generate(DocumentKind.PROGRAMME, run, [], by) + store.generate(DocumentKind.RULES, run, [], by)
            for document in made:
                day = datetime.combine(run.starts_on, time(9), UTC) - timedelta(days=20)
                document.created_at = min(day, now - timedelta(days=1))
        for moment, days in ((EvaluationMoment.HOT, 3), (EvaluationMoment.COLD, 33)):
            begins = datetime.combine(run.starts_on, time(8, 10), UTC) + timedelta(days=days)
            if begins < now - timedelta(days=2) and (moment is EvaluationMoment.HOT or number % 2):
                _answers(run, learners, moment, begins, chance)
    if plans:
        stored = blobs.store(b"Tramway ligne 1, station Mediatheque. Parking Graslin a 300 metres.\n", "acces.txt")
        store.keep(plans[-1][0], DocumentKind.UPLOADED, None, stored, "Venir chez nous.txt", by)
    db.session.flush()


def _answers(
    run: TrainingSession, learners: list[Contact], moment: EvaluationMoment, begins: datetime, chance: random.Random
) -> None:  # fmt: skip
    for learner in learners:
        evaluation = evaluations.ensure(run, learner, moment)
        evaluation.created_at = begins
        if chance.random() < (0.72 if moment is EvaluationMoment.HOT else 0.5):
            asked = questions.asked(moment, learner.kind)
            given = {q.key: str(chance.choices((2, 3, 4, 5), (1, 3, 8, 9))[0]) for q in asked if q.rated}
            given |= {q.key: chance.choice(_WORDS)[1] for q in asked if not q.rated}
            rating, answers = questions.read(asked, given)
            evaluations.answer(evaluation, rating, answers)
            evaluation.answered_at = evaluation.opened_at = min(
                begins + timedelta(hours=chance.randrange(1, 70)), datetime.now(UTC) - timedelta(hours=1)
            )
