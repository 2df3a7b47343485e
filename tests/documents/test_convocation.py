"""documents.convocation: what the PDF says, in two languages, and that no name can break it."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from documents import convocation, dates
from models import Contact, Module, Organisation, TrainingSession

TODAY = date(2026, 11, 22)


def organisation(**changes: str) -> Organisation:
    values = {
        "name": "Atelier Cassiopée", "timezone": "Europe/Paris", "address": "14, rue des Étoiles\n35000 Rennes",
        "phone": "02 99 00 00 00", "registration": "53 35 01234 35",
    }  # fmt: skip
    return Organisation(**(values | changes))


def training_session(start: datetime = datetime(2026, 12, 1, 8, tzinfo=UTC)) -> TrainingSession:
    session = TrainingSession(reference="FOR-2026-014", title="Accueil", place="Rennes")
    for number in range(3):
        begins = start + timedelta(days=number)
        session.modules.append(
            Module(title=f"Module {number + 1}", starts_at=begins, ends_at=begins + timedelta(hours=4), place="")
        )
    return session


def learner(name: str = "Léa Martin", language: str = "fr") -> Contact:
    return Contact(name=name, language=language, company=Contact(name="Mairie de Saint-Malo"))


def test_it_says_everything_in_french() -> None:
    said = convocation.said(training_session(), learner(), organisation(), TODAY)
    assert said["title"] == "Convocation de Léa Martin" and said["dated"] == "Le 22 novembre 2026"
    assert said["organisation"]["lines"] == ["14, rue des Étoiles", "35000 Rennes", "Tél.\u00a0: 02 99 00 00 00"]
    assert dict(said["session"]["facts"]) == {
        "Référence": "FOR-2026-014", "Dates": "du 1er au 3 décembre 2026", "Lieu": "Rennes",
    }  # fmt: skip
    assert said["modules"][0] == [
        "mardi 1er décembre 2026", "9\u00a0h\u00a000 – 13\u00a0h\u00a000", "Module 1", "Rennes",
    ]  # fmt: skip
    assert said["show_places"] is False and said["learner"]["lines"] == ["Mairie de Saint-Malo"]
    assert "53 35 01234 35" in said["footer"] and any("02 99 00 00 00" in line for line in said["practical"])


def test_it_says_the_same_in_english() -> None:
    said = convocation.said(training_session(), learner(language="en"), organisation(), TODAY)
    assert said["heading"] == "Joining instructions" and said["language"] == "en"
    assert said["modules"][0][:2] == ["Tuesday 1 December 2026", "09:00 – 13:00"]
    french = convocation.said(training_session(), learner(), organisation(), TODAY)
    assert french.keys() == said.keys() and french["words"].keys() == said["words"].keys()


def test_hours_follow_the_zone_across_a_change_of_hour() -> None:
    said = convocation.said(training_session(datetime(2026, 10, 24, 7, tzinfo=UTC)), learner(), organisation(), TODAY)
    assert [hours.split(" – ")[0] for _, hours, *_ in said["modules"]] == [
        "9\u00a0h\u00a000", "8\u00a0h\u00a000", "8\u00a0h\u00a000",
    ]  # fmt: skip
    reunion = convocation.said(training_session(), learner(), organisation(timezone="Indian/Reunion"), TODAY)
    assert reunion["modules"][0][1].startswith("12\u00a0h\u00a000")


def test_the_pdf_is_tagged_and_the_same_twice() -> None:
    first = convocation.pdf(training_session(), learner(), organisation(), TODAY)
    assert first == convocation.pdf(training_session(), learner(), organisation(), TODAY)
    assert first.startswith(b"%PDF-1.7") and b"pdfuaid:part" in first and b"/StructTreeRoot" in first
    assert first != convocation.pdf(training_session(), learner("Noé Petit"), organisation(), TODAY)


def test_a_session_without_dates_or_place_still_has_one() -> None:
    bare = TrainingSession(reference="", title="Sans date", place="")
    said = convocation.said(
        bare, Contact(name="A", language="de"), organisation(address="", phone="", registration=""), TODAY
    )
    assert said["session"]["facts"] == [] and said["modules"] == [] and said["footer"] == "Atelier Cassiopée"
    assert convocation.pdf(bare, learner(), organisation(), TODAY).startswith(b"%PDF")
    assert convocation.filename(bare, learner()) == "Convocation.pdf"


def test_the_name_of_the_file_is_safe() -> None:
    session = training_session()
    assert convocation.filename(session, learner()) == "Convocation FOR-2026-014.pdf"
    session.reference = '../../a"b\r\nBcc: x'
    assert convocation.filename(session, learner()) == "Convocation abBcc x.pdf"


@pytest.mark.parametrize(
    "name", ["محمد العربي", "王小明", "🎓", '#link("x")[y] $x$ *b* \\', "a\u202eb\0c", "\ud800", "é" * 300]
)
def test_no_name_breaks_it(name: str) -> None:
    assert convocation.pdf(training_session(), learner(name), organisation(name=name), TODAY).startswith(b"%PDF")


def test_hostile_samples_do_not_break_it() -> None:
    path = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples")) / "hostile" / "string.jsonl"
    for line in path.read_text().splitlines() if path.exists() else ():
        payload = str(json.loads(line)["payload"])
        session = training_session()
        session.title = session.reference = session.place = session.modules[0].title = payload
        assert convocation.pdf(session, learner(payload), organisation(), TODAY).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("first", "last", "language", "expected"),
    [
        (date(2026, 12, 1), date(2026, 12, 1), "fr", "le 1er décembre 2026"),
        (date(2026, 12, 1), date(2026, 12, 3), "fr", "du 1er au 3 décembre 2026"),
        (date(2026, 11, 30), date(2026, 12, 1), "fr", "du 30 novembre au 1er décembre 2026"),
        (date(2026, 12, 31), date(2027, 1, 1), "fr", "du 31 décembre 2026 au 1er janvier 2027"),
        (date(2026, 12, 11), None, "en", "on 11 December 2026"),
        (date(2026, 12, 1), date(2026, 12, 3), "en", "from 1 to 3 December 2026"),
        (None, None, "fr", ""),
    ],
)
def test_spans_are_written_as_people_write_them(
    first: date | None, last: date | None, language: str, expected: str
) -> None:
    assert dates.span(first, last, language) == expected
