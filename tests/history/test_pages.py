"""Every filter, alone and together: which rows, which chips, which address. Pages, counts and what a page costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import event, text

from extensions import db
from history import HistoryFilter, Scope, browse, pages, query, sentences
from history.rows import Count
from models import Segment, SegmentMember
from models.words import ContactKind, Mark, QueueState, Reason, Status
from tests.history.making import NOW, make_contact, make_email, make_session


def ask(string: str) -> HistoryFilter:
    return HistoryFilter.from_query(parse_qsl(string))


@pytest.fixture
def filled(cassiopee: Any, boreale: Any) -> Any:
    """Seven e-mails of Atelier Cassiopée named by their subject's first word, and one of Formation Boréale."""
    session = make_session(cassiopee, "Sécurité incendie", public_id="S-fire", reference="SI-12")
    other = make_session(cassiopee, "Excel avancé", public_id="S-excel")
    petit = make_contact(cassiopee, "Élodie Petit", public_id="C-petit")
    acme = make_contact(cassiopee, "Acme", ContactKind.COMPANY, public_id="C-acme")
    make_contact(cassiopee, "Nour Haddad", public_id="C-nour", company_id=acme.id)
    static = Segment(organisation_id=cassiopee.id, name="Fidèles", public_id="G-static")
    rule = Segment(organisation_id=cassiopee.id, name="Entreprises", public_id="G-rule", rule={"kind": ["company"]})
    db.session.add_all([static, rule])
    db.session.flush()
    db.session.add(SegmentMember(segment_id=static.id, contact_id=petit.id))
    day, file = timedelta(days=1), (("a.pdf", "application/pdf", "a" * 64),)
    make_email(
        cassiopee,
        "elodie.petit@example.org",
        "Élodie Petit",
        ago=0 * day,
        subject="Un : carte expirée",
        type="card.expired",
        status=Status.DELIVERED,
        contact_id=petit.id,
        training_session_id=session.id,
    )
    make_email(
        cassiopee,
        "nour@acme.example",
        "Nour Haddad",
        ago=1 * day,
        subject="Deux FA-2026-0042",
        type="invoice",
        status=Status.FAILED,
        reason=Reason.USER_UNKNOWN,
        files=file,
    )
    make_email(
        cassiopee,
        "NOUR@acme.example",
        "",
        ago=2 * day,
        subject="Trois",
        type="free",
        status=Status.REQUESTED,
        queue=QueueState.WAITING,
        training_session_id=other.id,
        contact_id=acme.id,
    )
    make_email(
        cassiopee,
        "jean@petitpont.example",
        "Jean Dupont",
        ago=10 * day,
        subject="Quatre rappel de la carte",
        public_id="E-quatre",
        status=Status.UNDELIVERABLE,
        reason=Reason.MAILBOX_FULL,
        marks=Mark.RESENT,
        treated_at=NOW,
    )
    make_email(cassiopee, "zoe_100%@example.org", "Zoé", ago=40 * day, subject="Cinq", status=Status.OPENED, files=file)
    make_email(
        cassiopee,
        "elodie.petit@example.org",
        "Élodie Petit",
        ago=100 * day,
        subject="Six l'été <b>",
        public_id="E-six",
        status=Status.SENT,
        updated_at=NOW,
        contact_id=petit.id,
        training_session_id=session.id,
    )
    make_email(cassiopee, "x@example.org", "X", ago=400 * day, subject="Sept", status=Status.UNCERTAIN)
    make_email(boreale, "elodie.petit@example.org", "Élodie Petit", subject="Ailleurs", public_id="E-ailleurs")
    return cassiopee  # fmt: skip


TABLE = [
    ("", "Un Deux Trois Quatre Cinq Six Sept", []),
    ("sort=date", "Sept Six Cinq Quatre Trois Deux Un", []),
    ("status=failed", "Deux", ["Statut : Erreur à l’envoi"]),
    ("status=error", "Deux Quatre", ["Statut : En erreur"]),
    ("status=waiting&status=opened", "Trois Cinq Sept", ["Statut : En attente", "Statut : Reçu et ouvert"]),
    ("status=sent_all", "Un Cinq Six", ["Statut : Envoyés"]),
    ("status=zzz", "Un Deux Trois Quatre Cinq Six Sept", []),
    ("type=invoice", "Deux", ["Type : Facture"]),
    ("type=invoice&type=free", "Deux Trois", ["Type : E-mail libre", "Type : Facture"]),
    ("type=unheard.of", "", ["Type : unheard.of"]),
    ("attachment=yes", "Deux Cinq", ["Pièces jointes : avec"]),
    ("attachment=no&status=error", "Quatre", ["Pièces jointes : sans", "Statut : En erreur"]),
    ("type=invoice&attachment=no", "", ["Type : Facture", "Pièces jointes : sans"]),
    ("period=day", "Un", ["Date de demande : Aujourd’hui"]),
    ("period=rolling_30", "Un Deux Trois Quatre", ["Date de demande : 30 derniers jours"]),
    ("period=year", "Un Deux Trois Quatre Cinq Six", ["Date de demande : Cette année"]),
    ("from=2026-11-12&to=2026-11-20", "Trois Quatre", ["Date de demande : 12/11/2026 au 20/11/2026"]),
    ("to=2026-10-13", "Cinq Six Sept", ["Date de demande : jusqu'au 13/10/2026"]),
    ("date_field=sent", "Un Quatre Cinq Six Sept Trois Deux", []),
    ("date_field=sent&sort=date", "Deux Trois Sept Six Cinq Quatre Un", []),
    ("date_field=sent&period=rolling_30", "Un Quatre", ["Date d’envoi : 30 derniers jours"]),
    ("date_field=sent&to=2026-10-13", "Cinq Six", ["Date d’envoi : jusqu'au 13/10/2026"]),
    ("date_field=updated&period=day", "Un Six", ["Dernier changement : Aujourd’hui"]),
    ("recipient=petit", "Un Quatre Six", ["Destinataire : petit"]),
    ("recipient=PÉTIT", "Un Quatre Six", ["Destinataire : PÉTIT"]),
    ("recipient=petit+elodie", "Un Six", ["Destinataire : petit elodie"]),
    ("recipient=elodie.petit@example.org", "Un Six", ["Destinataire : elodie.petit@example.org"]),
    ("recipient=nour@ACME", "Deux Trois", ["Destinataire : nour@ACME"]),
    ("recipient=pe", "Un Quatre Six", ["Destinataire : pe"]),
    ("recipient=et", "", ["Destinataire : et"]),
    ("recipient=_100%25", "Cinq", ["Destinataire : _100%"]),
    ("recipient=100_", "", ["Destinataire : 100_"]),
    ("recipient=100%EF%BC%85", "Cinq", ["Destinataire : 100％"]),
    ("subject=carte", "Un Quatre", ["Objet : carte"]),
    ("subject=expir+CARTE", "Un", ["Objet : expir CARTE"]),
    ("subject=arte", "", ["Objet : arte"]),
    ("subject=0042", "Deux", ["Objet : 0042"]),
    ("subject=fa-2026", "Deux", ["Objet : fa-2026"]),
    ("subject=ete", "Six", ["Objet : ete"]),
    ("subject=%3Cb%3E", "Six", ["Objet : <b>"]),
    ("subject=%27%3A*+%26+%7C", "Un Deux Trois Quatre Cinq Six Sept", []),
    ("subject=c%27%3A*", "Un Quatre Cinq", ["Objet : c':*"]),
    ("session=S-fire", "Un Six", ["Session : S-fire"]),
    ("session=S-nowhere", "", ["Session : S-nowhere"]),
    ("session=incendie", "Un Six", ["Session : incendie"]),
    ("session=si-12", "Un Six", ["Session : si-12"]),
    ("contact=C-petit", "Un Six", ["Client : C-petit"]),
    ("contact=elod", "Un Six", ["Client : elod"]),
    ("contact=ac", "Trois", ["Client : ac"]),
    ("contact=cm", "", ["Client : cm"]),
    ("segment=G-static", "Un Six", ["Segment : G-static"]),
    ("segment=G-rule", "Trois", ["Segment : G-rule"]),
    ("segment=G-nowhere", "", ["Segment : G-nowhere"]),
    ("segment=G-static&status=delivered&recipient=petit", "Un",
     ["Destinataire : petit", "Statut : Reçu", "Segment : G-static"]),
    ("sender=FORMATION@cassiopee.example&limit=200", "Un Deux Trois Quatre Cinq Six Sept",
     ["Expéditeur : formation@cassiopee.example"]),
    ("sender=nobody@cassiopee.example", "", ["Expéditeur : nobody@cassiopee.example"]),
    ("sender=formation@cassiopee.example&status=error", "Deux Quatre",
     ["Statut : En erreur", "Expéditeur : formation@cassiopee.example"]),
    ("by=staff@cassiopee.example&type=invoice", "Deux",
     ["Type : Facture", "Demandé par : staff@cassiopee.example"]),
    ("by=staff@boreale.example", "", ["Demandé par : staff@boreale.example"]),
    ("reason=user_unknown", "Deux", ["Motif : Adresse inconnue"]),
    ("reason=user_unknown&reason=mailbox_full", "Deux Quatre", ["Motif : Adresse inconnue", "Motif : Boîte pleine"]),
    ("reason=user_unknown&reason=mailbox_full&status=failed&type=invoice&attachment=yes", "Deux",
     ["Type : Facture", "Pièces jointes : avec", "Statut : Erreur à l’envoi", "Motif : Adresse inconnue",
      "Motif : Boîte pleine"]),
    ("reason=blocked", "", ["Motif : Envoi bloqué"]),
    ("operator=EXAMPLE.org", "Un Cinq Six Sept", ["Opérateur : example.org"]),
    ("operator=acme.example&status=waiting", "Trois", ["Statut : En attente", "Opérateur : acme.example"]),
    ("operator=org", "", ["Opérateur : org"]),
    ("resent=yes", "Quatre", ["Renvoyé : oui"]),
    ("resent=no&status=error", "Deux", ["Statut : En erreur", "Renvoyé : non"]),
    ("treated=no", "Deux", ["Traité : non"]),
    ("treated=no&status=error&reason=user_unknown", "Deux",
     ["Statut : En erreur", "Motif : Adresse inconnue", "Traité : non"]),
    ("treated=yes", "Quatre", ["Traité : oui"]),
    ("number=E-six", "Six", ["Numéro : E-six"]),
    ("number=E-six,E-ailleurs,E-quatre,E-none", "Quatre Six", ["Numéro : 4 choisis"]),
    ("number=E-quatre&recipient=petit", "Quatre", ["Destinataire : petit", "Numéro : E-quatre"]),
    ("number=E-quatre&subject=carte", "Quatre", ["Objet : carte", "Numéro : E-quatre"]),
    ("number=E-six&session=S-fire&operator=example.org", "Six",
     ["Session : S-fire", "Opérateur : example.org", "Numéro : E-six"]),
    ("number=E-six&number=E-quatre&sort=date&date_field=sent", "Six Quatre", ["Numéro : 2 choisis"]),
    ("number=E-six,E-quatre&recipient=elodie&subject=six&type=convocation", "Six",
     ["Type : Convocation", "Destinataire : elodie", "Objet : six", "Numéro : 2 choisis"]),
    ("event=card.expired", "Un", ["Type : Carte expirée"]),
    ("recipient=petit&subject=carte&status=error", "Quatre",
     ["Destinataire : petit", "Objet : carte", "Statut : En erreur"]),
    ("session=S-fire&contact=elod&recipient=petit&subject=six&status=sent&period=year&type=convocation&attachment=no",
     "Six", ["Date de demande : Cette année", "Type : Convocation", "Session : S-fire", "Client : elod",
             "Destinataire : petit", "Objet : six", "Pièces jointes : sans", "Statut : Envoyé"]),
]  # fmt: skip


def subjects(page: Any) -> str:
    return " ".join(row.subject.split()[0] for row in page.rows)


@pytest.mark.parametrize(("string", "rows", "chips"), TABLE, ids=[row[0] or "nothing" for row in TABLE])
@pytest.mark.parametrize("driven", ["", "further", "sought"])
def test_rows_and_chips(
    app: Any, filled: Any, monkeypatch: Any, string: str, rows: str, chips: list[str], driven: str
) -> None:
    if driven:  # as if the table were long: the words are not found near the top
        monkeypatch.setattr(pages, "_NEAR", 1)
    if driven == "sought":  # nor by walking on: in their own index
        monkeypatch.setattr(pages, "_reach", lambda *_asked: 0)
    scope = Scope(filled.id)
    page = browse(scope, ask(string), NOW)
    assert subjects(page) == rows
    assert page.count == Count(len(rows.split()))
    with app.test_request_context():
        asked = ask(string)
        shown = sentences.chips(asked)
        assert [chip.label.replace("\xa0", " ").replace("’", "'") for chip in shown] == [
            label.replace("’", "'") for label in chips
        ]
        for chip in shown:
            assert len(chip.without.to_query()) < len(asked.to_query())
        assert sentences.sentence(asked, NOW, "Europe/Paris").endswith(".")


@pytest.mark.parametrize("string", [row[0] for row in TABLE if len(row[1].split()) > 2])
@pytest.mark.parametrize("driven", [False, True], ids=["near", "sought"])
def test_pages_go_both_ways(filled: Any, monkeypatch: Any, string: str, driven: bool) -> None:
    if driven:
        monkeypatch.setattr(pages, "_NEAR", 1)
    scope, asked = Scope(filled.id), ask(string).with_(limit=2)
    whole = subjects(browse(scope, asked.with_(limit=200), NOW))
    seen, here = [], browse(scope, asked, NOW)
    assert here.previous == ""
    trail = [here]
    while True:
        seen.append(subjects(here))
        assert here.count.value <= len(whole.split()) and (
            not here.count.exact or here.count.value == len(whole.split())
        )
        if not here.next:
            break
        here = browse(scope, asked.with_(cursor=here.next), NOW)
        trail.append(here)
    assert " ".join(seen) == whole
    for expected in reversed(trail[:-1]):
        here = browse(scope, asked.with_(cursor=here.previous), NOW)
        assert subjects(here) == subjects(expected)
    assert here.previous == ""


def test_scopes_hold_their_own(filled: Any, boreale: Any) -> None:
    from models import Contact, TrainingSession

    session = db.session.query(TrainingSession).filter_by(public_id="S-fire").one()
    acme = db.session.query(Contact).filter_by(public_id="C-acme").one()
    assert subjects(browse(Scope(filled.id, training_session=session), ask(""), NOW)) == "Un Six"
    assert subjects(browse(Scope(filled.id, training_session=session), ask("session=S-excel"), NOW)) == ""
    assert subjects(browse(Scope(filled.id, contact=acme), ask(""), NOW)) == "Trois"
    assert subjects(browse(Scope(boreale.id), ask("session=S-fire"), NOW)) == ""
    assert subjects(browse(Scope(boreale.id), ask("contact=C-petit"), NOW)) == ""
    assert subjects(browse(Scope(boreale.id), ask("recipient=petit"), NOW)) == "Ailleurs"
    with pytest.raises(ValueError):
        Scope(boreale.id, training_session=session)


def test_a_company_shows_its_learners_when_asked(filled: Any, monkeypatch: Any) -> None:
    from models import Contact

    acme = db.session.query(Contact).filter_by(public_id="C-acme").one()
    nour = db.session.query(Contact).filter_by(public_id="C-nour").one()
    make_email(filled, "nour@acme.example", "Nour Haddad", ago=timedelta(days=3), subject="Huit", contact_id=nour.id)
    assert subjects(browse(Scope(filled.id, contact=acme), ask("learners=yes"), NOW)) == "Trois Huit"
    assert subjects(browse(Scope(filled.id, contact=nour), ask("learners=yes"), NOW)) == "Huit"
    make_email(filled, ago=timedelta(days=4), subject="Huit ailleurs")
    monkeypatch.setattr(pages, "_NEAR", 1)
    monkeypatch.setattr(pages, "_reach", lambda *_asked: 0)  # by the index of words, which knows no owner
    assert subjects(browse(Scope(filled.id, contact=acme), ask("learners=yes&subject=huit"), NOW)) == "Huit"


def test_a_forged_cursor_starts_at_the_top(filled: Any) -> None:
    scope = Scope(filled.id)
    honest = browse(scope, ask("limit=2"), NOW).next
    for cursor in ("x", "é", honest[:-3] + "zzz", honest[1:]):
        assert subjects(browse(scope, ask("limit=2").with_(cursor=cursor), NOW)) == "Un Deux"
    other_order = browse(scope, ask("limit=2&sort=date").with_(cursor=honest), NOW)
    assert subjects(other_order) == "Sept Six"


def test_a_page_beyond_the_end_is_empty(filled: Any) -> None:
    scope = Scope(filled.id)
    last = browse(scope, ask("limit=6"), NOW)
    db.session.execute(text("UPDATE email SET status = 'opened' WHERE subject = 'Sept'"))
    beyond = browse(scope, ask("limit=6&status=waiting").with_(cursor=last.next), NOW)
    assert beyond.rows == [] and beyond.next == beyond.previous == ""


def test_counts_are_capped_truthfully(filled: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(query, "COUNTED", 3)
    monkeypatch.setattr(pages, "COUNTED", 3)
    scope = Scope(filled.id)
    assert browse(scope, ask("limit=2"), NOW).count == Count(3, exact=False)
    assert browse(scope, ask("limit=2&status=sent_all"), NOW).count == Count(3, exact=True)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements run inside."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield statements
    event.remove(db.engine, "before_cursor_execute", note)


PINNED = [
    ("", 1), ("status=error", 1), ("type=free", 1), ("attachment=yes", 1), ("period=year", 1), ("session=S-x", 1),
    ("contact=C-x", 1), ("recipient=petit", 1), ("subject=carte", 1), ("session=incendie", 1), ("contact=petit", 1),
    ("recipient=petit&subject=carte", 1), ("segment=G-static", 2), ("operator=example.org", 1), ("reason=blocked", 1),
    ("by=staff@cassiopee.example", 1), ("sender=formation@cassiopee.example", 1), ("resent=yes", 1), ("treated=no", 1),
    ("number=E-six,E-quatre", 1),
]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize(("string", "statements"), PINNED)
def test_a_page_is_one_statement(filled: Any, string: str, statements: int, rows: int) -> None:
    for number in range(rows):
        make_email(
            filled, f"petit{number}@example.org", subject="Carte", files=(("a.pdf", "application/pdf", "b" * 64),)
        )
    scope = Scope(filled.id)
    with counted() as ran:
        browse(scope, ask(string).with_(limit=200), NOW)
    assert len(ran) == statements
    with counted() as ran:
        browse(scope, ask(string).with_(limit=1), NOW)
    assert len(ran) <= statements + 1  # and one for the count, where there are more pages


def test_a_row_cannot_reach_a_body(filled: Any) -> None:
    row = browse(Scope(filled.id), ask("limit=1"), NOW).rows[0]
    for name in ("body", "html", "content", "skeleton"):
        with pytest.raises(AttributeError):
            getattr(row, name)


def test_rows_know_what_they_wait_for(cassiopee: Any) -> None:
    soon = datetime.now(tz=NOW.tzinfo) + timedelta(minutes=5)
    make_email(cassiopee, status=Status.REQUESTED, queue=QueueState.WAITING, attempts=2, next_attempt_at=soon)
    row = browse(Scope(cassiopee.id), ask("")).rows[0]
    assert (row.queue_state, row.attempt_count, row.next_attempt_at) == (QueueState.WAITING, 2, soon)
    assert [shown.chip.value for shown in row.chips] == ["retry"]
    before = row.version
    db.session.execute(text("UPDATE outbox_entry SET attempt_count = 3"))
    assert browse(Scope(cassiopee.id), ask("")).rows[0].version != before
