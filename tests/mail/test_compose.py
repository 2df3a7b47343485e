"""mail.compose: what each recipient gets, tags that are named when wrong, values that stay data, limits that hold."""

from __future__ import annotations

import json
import os
import re
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lxml.html
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.blobs import Stored
from errors import UserMistake
from mail import compose, letters, merge_tags
from mail.compose import File, Writing
from mail.letters import Words
from mail.own_address import RECEIPT
from models import Contact, Module, Organisation, TrainingSession, User
from models.words import ContactKind

HOUSE = Organisation(
    id=1, name="Atelier Cassiopée", timezone="Europe/Paris", address="14, rue des Étoiles\n35000 Rennes", phone="02 99"
)
AUTHOR = User(name="Anne Le Goff")


def session() -> TrainingSession:
    starts = datetime(2026, 12, 1, 8, tzinfo=UTC)
    run = TrainingSession(id=7, title="Accueil & écoute", reference="FOR-14", place="Rennes")
    run.modules = [
        Module(starts_at=starts + timedelta(days=n), ends_at=starts + timedelta(days=n, hours=3)) for n in range(3)
    ]
    return run


def person(**changes: object) -> Contact:
    values = {
        "id": 3, "kind": ContactKind.LEARNER, "first_name": "Léa", "last_name": "Martin", "name": "Léa Martin",
        "email": "lea@example.org", "language": "fr",
    }  # fmt: skip
    return Contact(**(values | changes))


def writing(
    message: str = "Bonjour", subject: str = "Objet", run: TrainingSession | None = None, **more: Words
) -> Writing:
    return Writing("free", {"fr": Words(subject, message), **more}, HOUSE, run or session(), AUTHOR)


def body(html: str) -> str:
    """The letter's body as markup, without styles."""
    inner = re.search(r'class="body"[^>]*>\n(.*?)\n</td>', html, re.DOTALL)
    assert inner
    return re.sub(r' style="[^"]*"', "", inner[1])


@pytest.fixture(autouse=True)
def _context(migrated_app: Flask) -> object:
    with migrated_app.app_context():
        yield


def test_every_tag_says_what_it_promises() -> None:
    tags = [tag.written for tag in merge_tags.TAGS]
    draft = writing("\n".join(tags)).draft(person(company=Contact(name="Mairie")))
    assert draft.text.rstrip("\n").split("\n") == [
        "Léa", "Martin", "Léa Martin", "lea@example.org", "Mairie", "Accueil & écoute", "FOR-14",
        "du 1er au 3 décembre 2026", "mardi 1er décembre 2026", "9\u00a0h\u00a000", "jeudi 3 décembre 2026", "Rennes",
        "Atelier Cassiopée", "14, rue des Étoiles, 35000 Rennes", "02 99", "Anne Le Goff",
        RECEIPT.place(),
    ]  # fmt: skip


def test_the_page_of_documentation_lists_exactly_the_tags() -> None:
    listed = re.findall(r"^\| `(\{\{ [\w.]+ \}\})`", Path("docs/merge-tags.md").read_text("utf-8"), re.MULTILINE)
    assert listed == [tag.written for tag in merge_tags.EVERY]


@pytest.mark.parametrize("kind", ["convocation", "free"])
@pytest.mark.parametrize("language", compose.LANGUAGES)
def test_the_default_letters_suit_everyone(kind: str, language: str) -> None:
    default = letters.default(kind, language)
    every = Writing(kind, {"fr": default}, HOUSE, session(), AUTHOR)
    every.check({k: k.value for k in ContactKind})
    draft = every.draft(person())
    assert (
        "{" not in draft.subject + draft.text and "{{" not in draft.html and draft.subject.endswith("Accueil & écoute")
    )
    assert ("Bonjour Léa Martin" if language == "fr" else "Dear Léa Martin") in draft.text


def test_each_gets_the_words_of_their_language() -> None:
    both = writing("Bonjour {{ session.debut }}", en=Words("Subject", "Hello {{ session.debut }}"))
    assert both.draft(person()).text == "Bonjour mardi 1er décembre 2026\n"
    english = both.draft(person(language="en"))
    assert (english.subject, english.text) == ("Subject", "Hello Tuesday 1 December 2026\n")
    assert '<html lang="en"' in english.html
    assert both.draft(person(language="de")).subject == "Objet"


def test_light_structure_becomes_safe_html() -> None:
    typed = (
        "Bonjour <b>vous</b>,\nà bientôt\n\n- un **gras**\n- deux\n\n1. premier\n2) second\n"
        "Voir https://a.example/x?y=1&z=2. Ou (https://b.example), ou info@c.example !"
    )
    draft = writing(typed).draft(person())
    assert body(draft.html) == (
        "<p>Bonjour &lt;b&gt;vous&lt;/b&gt;,<br>\nà bientôt</p>\n"
        "<ul><li>un <strong>gras</strong></li><li>deux</li></ul>\n"
        '<ol><li>premier</li><li>second</li></ol>\n<p>Voir <a href="https://a.example/x?y=1&amp;z=2">'
        'https://a.example/x?y=1&amp;z=2</a>. Ou (<a href="https://b.example">https://b.example</a>), ou '
        '<a href="mailto:info@c.example">info@c.example</a> !</p>'
    )
    assert draft.text == typed.replace("**", "") + "\n"


def test_values_are_data_in_html_and_plain_in_text_and_subject() -> None:
    name = '<img src=x onerror="a"> **{{ organisme.nom }}** https://evil.example'
    draft = writing("**{{ personne.nom }}**", "Pour {{ personne.nom }}").draft(person(last_name=name))
    assert body(draft.html) == (
        "<p><strong>&lt;img src=x onerror=&#34;a&#34;&gt; **{{ organisme.nom }}** https://evil.example</strong></p>"
    )
    assert not lxml.html.fromstring(draft.html).xpath("//img | //script | //a")
    assert draft.text == name + "\n" and draft.subject == f"Pour {name}"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("{{ personne.prenon }}", "La balise {{ personne.prenon }} n'existe pas"),
        ("{{ personne }}", "La balise {{ personne }} n'existe pas"),
        ('{{ inconnu | default: "x" }}', "La balise {{ inconnu }} n'existe pas"),
        ("{% if false %}{{ cache }}{% endif %}", "La balise {{ cache }} n'existe pas"),
        ("{{ personne.__class__.__mro__ }}", "n'existe pas"),
        ("{{ 7*7 }}", "mal écrite : {{ 7*7 }}"),
        ("{{ personne.nom", "mal écrite : {{ personne.nom"),
        ("{% for x in (1..9) %}{% endfor %}", "mal écrite : {% for x in (1..9) %}"),
        ("{% assign a = 1 %}", "mal écrite : {% assign a = 1 %}"),
        ('{{ personne.nom | map: "x" }}', 'mal écrite : {{ personne.nom | map: "x" }}'),
        ('{% include "a" %}', "mal écrite"),
        ("", "Le message est vide"),
        (" \n ", "Le message est vide"),
        ("a\0b", "ne peut pas être envoyé"),
        ("a\ud800", "ne peut pas être envoyé"),
        ("a" * 20_001, "trop long"),
    ],
)
def test_what_cannot_be_prepared_is_said(wrong: str, says: str) -> None:
    with pytest.raises(UserMistake) as caught:
        letter = writing(wrong)
        letter.check({ContactKind.LEARNER: "Apprenant"})
        letter.draft(person())
    assert says in str(caught.value) and caught.value.field == "message_fr"


def test_a_tag_that_a_kind_lacks_is_named_with_the_kind() -> None:
    with pytest.raises(
        UserMistake, match=re.escape("{{ personne.prenom }} n'existe pas pour ce type de destinataire : Entreprise")
    ):
        writing("{{ personne.prenom }}").check({ContactKind.LEARNER: "Apprenant", ContactKind.COMPANY: "Entreprise"})
    offered = {tag.name for tag in merge_tags.tags_for([ContactKind.LEARNER, ContactKind.COMPANY])}
    assert "personne.prenom" not in offered and "personne.nom_complet" in offered
    assert not [tag for tag in merge_tags.tags_for(ContactKind, with_session=False) if tag.of_session]


@pytest.mark.parametrize("breaker", ["\r\n", "\n", "\r", "\0", "\x85", "\u2028", "\u2029", "\x0b"])
def test_line_breakers_in_subject_and_names_are_refused(breaker: str) -> None:
    evil = f"Bonjour{breaker}Bcc: spy@evil.example"
    run = session()
    run.title = evil
    for attempt in (
        lambda: writing(subject=evil).draft(person()),
        lambda: writing(subject="{{ session.titre }}", run=run).draft(person()),
        lambda: writing().draft(person(name=evil)),
        lambda: File.of(f"{evil}.pdf", Stored("0" * 64, 1, "application/pdf")),
    ):
        with pytest.raises(UserMistake):
            attempt()


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("devis.pdf", "devis.pdf"), ("C:\\Users\\a\\devis.pdf", "devis.pdf"), ("../../etc/passwd", "passwd"),
        ("a" * 300 + ".pdf", "a" * 146 + ".pdf"), ("Convocation été (1).pdf", "Convocation été (1).pdf"),
        (".htaccess", ".htaccess"), ("", None), ("..", None), ("a/", None), ("devis\u202efdp.exe", None),
        ("=?utf-8?q?a?=.pdf", None),
    ],
)  # fmt: skip
def test_names_of_files(given_name: str, kept: str | None) -> None:
    stored = Stored("0" * 64, 1, "application/pdf")
    if kept is None:
        with pytest.raises(UserMistake):
            File.of(given_name, stored)
    else:
        assert File.of(given_name, stored) == File(kept, "0" * 64, 1, "application/pdf")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("lea@example.org", None), ("éric@straße.de", None), ("", "Pas d'adresse e-mail"),
        ("  ", "Pas d'adresse e-mail"),
        ("lea", "Adresse e-mail non valide"), ("lea@exa mple.org", "Adresse e-mail non valide"),
        ("a@b.fr, c@d.fr", "Adresse e-mail non valide"), ("user.unknown@practice.example", None),
    ],
)  # fmt: skip
def test_who_can_be_written_to(address: str, why: str | None) -> None:
    assert compose.unreachable(person(email=address)) == why
    if why:
        with pytest.raises(UserMistake, match="Léa Martin"):
            writing().draft(person(email=address))


def test_blanks_are_told_and_no_recipients_is_a_mistake() -> None:
    run = session()
    run.place = ""
    letter = writing("{{ session.lieu }} {{ personne.nom }}", run=run)
    assert letter.blanks(person()) == ["{{ session.lieu }}"]
    with pytest.raises(UserMistake, match="Choisissez"):
        compose.drafts(letter, [])
    file = File("a.pdf", "0" * 64, 1, "application/pdf")
    first, second = compose.drafts(letter, [person(), person(id=4, name="Noé")], lambda contact: (file,) * contact.id)
    assert (len(first.files), len(second.files), second.name) == (3, 4, "Noé")
    assert compose.preview(letter, person(), (file,)) == letter.draft(person(), (file,))


BOMBS = [
    "{{" * 9_999, "{% if a %}" * 1_900, "{{ organisme.nom }}" * 1_000, "**" * 9_999, "- \n" * 6_000, "http://" * 2_800,
    "a@" * 9_999, "a." * 9_999, "\n \n" * 6_000, '{{ "' * 4_000, "{{ (1..999999999999) }}",
    "{{ '" + "a" * 19_000 + "' }}",
    "**a" * 6_000, "{{ 'x' | upcase }}" * 1_000, "{% if 1 == 1 %}" * 9 + "a" + "{% endif %}" * 9, "a\n\n" * 6_000,
    "{{ 'a' | default: 'b' | default: 'c' }}" * 500, "{%" * 9_999, "}}" * 9_999, "{{ " + "9" * 280 + " }}",
]  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_no_text_takes_a_second_or_64_mib(bomb: str) -> None:
    tracemalloc.start()
    started = time.process_time()
    try:
        letter = writing(bomb, bomb[:2000].replace("\n", " "))
        letter.check({ContactKind.LEARNER: "Apprenant"})
        letter.draft(person())
    except UserMistake:
        pass
    spent, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 4 and peak < 64 * 1024 * 1024  # tracing makes it about four times slower


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text("ab*-1. \n<>&\"'/:@{}%|é\ue000\ue001", max_size=80))
def test_whatever_is_typed_is_text_or_a_mistake(typed: str) -> None:
    try:
        draft = writing(typed).draft(person())
    except UserMistake:
        return
    tree = lxml.html.fromstring(draft.html)
    assert not tree.xpath("//script | //img | //iframe | //form")
    assert {n.tag for n in tree.xpath("//td[@class='body']//*")} <= {"p", "br", "ul", "ol", "li", "strong", "a"}


@pytest.mark.parametrize("file", ["ssti", "string", "html", "crlf"])
def test_hostile_samples_are_shown_or_refused(file: str) -> None:
    path = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples")) / "hostile" / f"{file}.jsonl"
    lines = path.read_text().splitlines()[:400] if path.exists() else []
    payloads = [str(json.loads(line)["payload"]) for line in lines]
    for payload in payloads:
        for letter in (writing(payload), writing(subject=payload)):
            try:
                letter.check({ContactKind.LEARNER: "Apprenant"})
                draft = letter.draft(person())
            except UserMistake:
                continue
            assert not lxml.html.fromstring(draft.html).xpath("//script | //img | //iframe | //svg | //form | //object")
        draft = writing("{{ personne.nom }}").draft(person(last_name=payload))
        if "\0" not in payload:
            assert payload.split() == draft.text.split()
        assert not lxml.html.fromstring(draft.html).xpath("//script | //img | //iframe | //svg | //form | //object")
