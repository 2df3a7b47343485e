"""mail.template_versions: what is wrong is named where it stands; nobody's words are lost; changes can be read."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions import db
from mail import template_versions, templates
from mail.letters import Words
from mail.template_versions import Conflict, Piece, compared, problems
from models import Template
from models.template import TemplateFormat
from models.words import ContactKind, EmailType
from tests.conftest import House

LEARNER = [ContactKind.LEARNER]


def said(message: str, subject: str = "Objet", type: str = "convocation", html: bool = False, text: str = "") -> list:
    words = {"fr": Words(subject, message, text, html)}
    return [(p.field, p.message % p.values if p.kind is None else p.kind, p.line, p.meant)
            for p in problems(type, LEARNER, words)]  # fmt: skip


@pytest.fixture
def hot(cassiopee: House) -> Template:
    templates.ensure_defaults(cassiopee.organisation)
    db.session.commit()
    template = templates.find(cassiopee.id, EmailType.EVALUATION_HOT.value)
    assert template is not None
    return template


def test_every_unknown_tag_is_named_with_its_line_and_what_was_meant(app: Flask) -> None:
    unknown = "La balise {{ %s }} n'existe pas pour ce modèle."
    assert said("Bonjour {{ personne.prenon }},\n\n{{ facture.numero }} {{ session.lieu }}", "{{ sesion.titre }}") == [
        ("subject_fr", unknown % "sesion.titre", None, "{{ session.titre }}"),
        ("message_fr", unknown % "personne.prenon", 1, "{{ personne.prenom }}"),
        ("message_fr", unknown % "facture.numero", 3, ""),
    ]
    assert said("a\n{{ personne.nom") == [("message_fr", "Une balise est mal écrite : {{ personne.nom", 2, "")]
    assert said("x", text="\n{{ xyz }}") == [("text_fr", unknown % "xyz", 2, "")]
    assert said("", "") == [
        ("subject_fr", "L'objet est vide.", None, ""),
        ("message_fr", "Le message est vide.", None, ""),
    ]
    assert said("{{ evaluation.lien }}") and not said("{{ evaluation.lien }}", type="evaluation_hot")
    assert not said("{{ facture.montant }}", type="invoice.paid") and said("{{ session.titre }}", type="invoice.paid")


def test_a_kind_that_lacks_a_tag_is_named(app: Flask) -> None:
    words = {"fr": Words("Objet", "{{ personne.prenom }}")}
    (problem,) = problems("evaluation_hot", [ContactKind.LEARNER, ContactKind.COMPANY], words)
    assert problem.kind is ContactKind.COMPANY
    assert not problems("evaluation_hot", LEARNER, words)


def test_html_that_the_sanitiser_cuts_in_two_is_a_problem(app: Flask) -> None:
    cut = '<p {% if session.lieu != "" %}class="a"{% endif %}>a</p><p>{{ session.lieu }}</p>'
    assert [p[0] for p in said(cut, html=True)] == ["message_fr"]
    assert [p[0] for p in said('<script>{% if session.lieu != "" %}</script><p>a{% endif %}</p>', html=True)] == [
        "message_fr"
    ]


def test_saving_makes_a_version_and_loses_nobodys(app: Flask, cassiopee: House, hot: Template) -> None:
    first = template_versions.columns_of(templates.newest(hot))
    mine = first | {"subject_fr": "Votre avis", "format": TemplateFormat.TEXT}
    second = template_versions.save(hot, mine, base=1, by=cassiopee.admin, note="Plus court")
    db.session.commit()
    assert (second.number, second.author, second.note) == (2, cassiopee.admin, "Plus court")
    assert template_versions.save(hot, mine, base=2, by=cassiopee.manager) is second
    with pytest.raises(Conflict) as caught:
        template_versions.save(hot, mine | {"subject_fr": "Autre"}, base=1, by=cassiopee.manager)
    assert caught.value.theirs is second
    back = template_versions.save(hot, first, base=2, by=cassiopee.manager)
    db.session.commit()
    assert [v.number for v in hot.versions] == [3, 2, 1] and back.subject_fr == first["subject_fr"]
    assert templates.writing(hot, cassiopee.organisation).words["fr"].subject == first["subject_fr"]


def test_copies_make_a_template_or_a_version(app: Flask, cassiopee: House, hot: Template) -> None:
    hot.form_url = "https://formulaire.example/x"
    copied = template_versions.copy(hot, hot.type, "trainer", name="Intervenants", by=cassiopee.admin, note="Copie")
    db.session.commit()
    assert (copied.kind, copied.enabled, copied.form_url) == ("trainer", False, hot.form_url)
    assert templates.find(cassiopee.id, hot.type, "trainer") is copied
    cold = templates.find(cassiopee.id, EmailType.EVALUATION_COLD.value)
    assert cold is not None
    assert template_versions.copy(hot, cold.type, "", name="", by=cassiopee.admin, note="Copie") is cold
    db.session.commit()
    assert [v.number for v in cold.versions] == [2, 1] and cold.versions[0].subject_fr == hot.versions[0].subject_fr


def test_changes_are_read_word_by_word() -> None:
    assert compared("Bonjour Léa,\nà lundi", "Bonjour {{ personne.prenom }},\nà lundi") == [
        Piece("same", "Bonjour "), Piece("del", "Léa"), Piece("ins", "{{ personne.prenom }}"),
        Piece("same", ",\nà lundi"),
    ]  # fmt: skip
    assert compared("Votre avis sur la session", "Trois minutes pour la session") == [
        Piece("del", "Votre avis sur"), Piece("ins", "Trois minutes pour"), Piece("same", " la session"),
    ]  # fmt: skip
    labels = {TemplateFormat.TEXT: "Texte", TemplateFormat.HTML: "HTML"}
    empty = dict.fromkeys(template_versions.WORDS, "") | {"format": TemplateFormat.TEXT}
    assert template_versions.differences(empty, empty | {"subject_en": "A", "format": TemplateFormat.HTML}, labels) == [
        ("Format", [Piece("del", "Texte"), Piece("ins", "HTML")]), ("Objet en anglais", [Piece("ins", "A")]),
    ]  # fmt: skip


_text = st.text("ab \n{}.é", max_size=60)


@settings(max_examples=300)
@given(_text, _text)
def test_a_comparison_gives_both_texts_back(old: str, new: str) -> None:
    pieces = compared(old, new)
    assert "".join(p.text for p in pieces if p.kind != "ins") == old
    assert "".join(p.text for p in pieces if p.kind != "del") == new
    assert all(piece.text for piece in pieces)


def test_long_texts_are_compared_at_once() -> None:
    started = time.process_time()
    pieces = compared("a b " * 5_000, "c d " * 5_000)
    assert [p.kind for p in pieces] == ["del", "ins"] and time.process_time() - started < 2
