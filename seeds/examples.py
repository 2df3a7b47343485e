"""Sessions of the demo whose every e-mail shows another thing that can become of one: a convocation to each learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from extensions import db
from mail.compose import Draft, File
from models import Address, Contact, Organisation, Sender, TrainingSession, User
from models.words import Role
from seeds.load import Loader, Plan
from seeds.stories import Story

FilesOf = Callable[[TrainingSession, Contact, datetime], tuple[File, ...]]


def people_of(organisation: Organisation) -> tuple[Sender, User]:
    """Whom the examples leave from, and who asked for them."""
    sender = select(Sender).where(Sender.organisation_id == organisation.id, Sender.is_default)
    staff = select(User).where(User.organisation_id == organisation.id, User.role == Role.STAFF)
    return db.session.scalars(sender).one(), db.session.scalars(staff).one()


def write(
    organisation: Organisation, run: TrainingSession, learners: Sequence[Contact], stories: Sequence[Story],
    files: FilesOf,
) -> None:  # fmt: skip
    """One convocation to each of the learners, a story each in their order; commits."""
    sender, by = people_of(organisation)
    addresses = [
        Address(organisation_id=organisation.id, address=one.email, name=one.name, domain=one.email.partition("@")[2])
        for one in learners
    ]
    db.session.add_all(addresses)
    db.session.flush()
    start = datetime.now(UTC) - timedelta(hours=5)
    moments = [start + timedelta(seconds=20 * number) for number in range(len(learners))]
    plans = [
        Plan(draft(organisation, run, learner, files(run, learner, at)), address.id, at, story, 0.5)
        for story, learner, address, at in zip(stories, learners, addresses, moments, strict=True)
    ]
    db.session.commit()
    with Loader(organisation, sender, by) as loader:
        loader.write(plans)


def draft(organisation: Organisation, run: TrainingSession, learner: Contact, files: tuple[File, ...]) -> Draft:
    """The convocation of one of them."""
    text = f"Bonjour {learner.first_name},\n\nVoici votre convocation à « {run.title} ».\n\n{organisation.name}\n"
    html = "".join(f"<p>{line}</p>" for line in text.splitlines() if line)
    return Draft(
        learner.email, learner.name, learner.id, run.id, "convocation", f"Convocation : {run.title}", html, text, files
    )  # fmt: skip
