"""The first steps of a new house: the first account, and what its admin does before mail can leave.

An empty house has no account and offers to make one, once, to whoever knows its code (config.first_run_code). What is
done follows from what there is; only what a person put off, kept as it was or sent to themselves is remembered, with
the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select, text

from errors import UserMistake
from extensions import db
from models import Contact, Organisation, Sender, TemplateVersion, TrainingSession, User
from models.words import N_, Role, Word
from people import accounts

_KEPT = "first_steps"  # in User.preferences: {"kept": [step], "later": [step], "test": "E-…"}


class Step(Word):
    """One of the first steps, in their order. `about` says what it is for."""

    def __init__(self, _value: str, _label: str, icon: str, about: str) -> None:
        self.icon, self.about = icon, about

    ORGANISATION = (
        "organisation", N_("Votre organisme"), "building",
        N_("L'adresse et le téléphone que portent vos convocations."),
    )
    SENDER = (
        "sender", N_("Votre adresse d'expédition"), "at",
        N_("Celle que verront vos destinataires, et à laquelle ils répondront."),
    )
    TEMPLATE = (
        "template", N_("Votre premier modèle"), "template",
        N_("Les mots de la convocation : gardez-les, ou mettez les vôtres."),
    )
    CONTACTS = (
        "contacts", N_("Vos contacts"), "users",
        N_("Les personnes à qui vous écrivez, depuis un fichier ou une par une."),
    )
    SESSION = (
        "session", N_("Votre première session"), "calendar",
        N_("Un titre, des jours, des inscrits : tout part de là."),
    )
    TEST = (
        "test", N_("Un e-mail d'essai"), "send",
        N_("À vous-même, pour voir ce que devient un e-mail."),
    )


@dataclass(frozen=True)
class Standing:
    """Where a step stands: done; put off (`later`); or neither, and then perhaps the `next` one."""

    step: Step
    done: bool
    later: bool
    next: bool = False


def anybody() -> bool:
    """Whether the house has an account at all."""
    return bool(db.session.scalar(select(exists(select(User.id)))))


def begin(*, organisation: str, name: str, email: str, password: str, language: str) -> User:
    """Make the organisation and its first admin, flushed. Raises UserMistake when somebody was first."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('first run'))"))
    if anybody():
        raise UserMistake(N_("Le premier compte vient d'être créé : connectez-vous."))
    house = Organisation(name=organisation)
    db.session.add(house)
    db.session.flush()
    user = User(
        organisation_id=house.id, email=email.lower(), name=name, role=Role.ADMIN, language=language,
        password_hash=accounts.hash_password(password), preferences={_KEPT: {}},
    )  # fmt: skip
    db.session.add(user)
    db.session.flush()
    return user


def shown_to(user: User) -> bool:
    """Whether the navigation leads to the first steps; asks the database nothing."""
    return _KEPT in user.preferences and user.role is Role.ADMIN


def standing(user: User) -> list[Standing]:
    """Every step and where it stands, in order. One statement."""
    mine = user.organisation_id

    def is_there(model: type[Any], *more: Any) -> Any:
        return exists(select(model.id).where(model.organisation_id == mine, *more))

    there = db.session.execute(select(
        is_there(Sender).label(Step.SENDER), is_there(Contact).label(Step.CONTACTS),
        is_there(TrainingSession).label(Step.SESSION),
        is_there(TemplateVersion, TemplateVersion.author_id.is_not(None)).label(Step.TEMPLATE),
    )).one()._asdict()  # fmt: skip
    remembered = _remembered(user)
    there[Step.ORGANISATION] = bool(user.organisation.address)
    there[Step.TEST] = bool(remembered.get("test"))
    kept, later = remembered.get("kept", ()), remembered.get("later", ())
    found, next_one = [], True
    for step in Step:
        done, put_off = there[step] or step in kept, step in later
        found.append(Standing(step, done, put_off and not done, next_one and not done and not put_off))
        next_one = next_one and (done or put_off)
    return found


def onward(user: User) -> tuple[Step, int] | None:
    """The step that comes next and how many are done, for who is on the way; None for everybody else."""
    if not shown_to(user):
        return None
    found = standing(user)
    return next(((one.step, sum(each.done for each in found)) for one in found if one.next), None)


def put_off(user: User, step: Step) -> None:
    """Leave a step for later; it can be taken up again at any time. The caller commits."""
    _remember(user, later=[*(one for one in _remembered(user).get("later", ()) if one != step), step.value])


def keep(user: User, step: Step) -> None:
    """Count a step as done: the person looked and changes nothing. The caller commits."""
    _remember(user, kept=[*(one for one in _remembered(user).get("kept", ()) if one != step), step.value])


def sent_to_oneself(user: User) -> str:
    """The public id of the newest test e-mail, empty for none."""
    found = _remembered(user).get("test", "")
    return found if isinstance(found, str) else ""


def remember_test(user: User, public_id: str) -> None:
    """Which e-mail the person sent to themselves; the caller commits."""
    _remember(user, test=public_id)


def close(user: User) -> None:
    """Take the first steps out of the navigation; the caller commits."""
    user.preferences = {name: value for name, value in user.preferences.items() if name != _KEPT}


def _remembered(user: User) -> Mapping[str, Any]:
    found = user.preferences.get(_KEPT)
    return found if isinstance(found, dict) else {}


def _remember(user: User, **values: Any) -> None:
    user.preferences = {**user.preferences, _KEPT: {**_remembered(user), **values}}
