"""mail.templates: the house's words for every type, found by kind, filled from a session or an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from errors import UserMistake
from extensions import db
from mail import event_tags, tag_list, templates
from models import Contact, Module, Template, TemplateVersion, TrainingSession
from models.template import TemplateFormat
from models.words import ContactKind, EmailType
from tests.conftest import House

LINKS = {"evaluation": "https://exemple.example/f/abc", "espace": "https://exemple.example/p/def"}


def session() -> TrainingSession:
    starts = datetime(2026, 12, 1, 8, tzinfo=UTC)
    run = TrainingSession(id=7, title="Accueil & écoute", reference="FOR-14", place="Rennes")
    run.modules = [Module(starts_at=starts, ends_at=starts + timedelta(hours=3))]
    return run


def person(kind: ContactKind = ContactKind.LEARNER, language: str = "fr") -> Contact:
    return Contact(id=3, kind=kind, first_name="Léa", last_name="Martin", name="Léa Martin", language=language,
                   email="lea@example.org")  # fmt: skip


def test_every_type_has_words_in_both_languages_for_whoever_gets_it(app: Flask, cassiopee: House) -> None:
    assert templates.ensure_defaults(cassiopee.organisation) == len(templates.TYPES) == 33
    assert templates.ensure_defaults(cassiopee.organisation) == 0
    db.session.commit()
    for type in templates.TYPES:
        template = templates.find(cassiopee.id, type.value)
        assert template is not None and template.id and not template.enabled
        run = session() if tag_list.of_session(type.value) else None
        writing = templates.writing(
            template, cassiopee.organisation, training_session=run, data=event_tags.EXAMPLE, links=lambda _: LINKS
        )
        writing.check({kind: kind.value for kind in templates.recipients(type.value)})
        drafts = [writing.draft(person(kind, language))
                  for kind in templates.recipients(type.value) for language in ("fr", "en")]  # fmt: skip
        for draft in drafts:
            assert "{" not in draft.subject + draft.text and "{{" not in draft.html and "{%" not in draft.html
            assert "\ue000" not in draft.html + draft.text and "[" not in draft.text
        assert (drafts[0].subject != drafts[1].subject) is (type is not EmailType.FREE)
        assert drafts[1].text.startswith("Dear Léa Martin,")
        assert not writing.blanks(person())


def test_the_sixteen_events_say_what_the_event_says(app: Flask, cassiopee: House) -> None:
    assert len([type for type in templates.TYPES if tag_list.is_event(type.value)]) == 16
    template = templates.find(cassiopee.id, EmailType.INVOICE_ISSUED_TO_PAY.value)
    assert template is not None and template.files == ["event"]
    draft = templates.writing(template, cassiopee.organisation, data=event_tags.EXAMPLE).draft(person())
    assert draft.subject == "Votre facture F-2026-0142 à régler"
    for said in ("1\u202f200,00\u00a0€", "20 décembre 2026", "de l’abonnement Équipe",
                 "Payer la facture : https://facturation.example/payer/F-2026-0142"):  # fmt: skip
        assert said in draft.text
    assert '<p class="action"' in draft.html and 'href="https://facturation.example/payer/F-2026-0142"' in draft.html
    bare = templates.writing(template, cassiopee.organisation, data={"invoice_number": "F-1"}).draft(person())
    assert bare.subject == "Votre facture F-1 à régler" and "Payer" not in bare.text + bare.html


def test_the_kind_comes_before_everybody_and_reading_makes_nothing(
    app: Flask, cassiopee: House, boreale: House
) -> None:
    type = EmailType.EVALUATION_HOT.value
    unsaved = templates.find(cassiopee.id, type, "trainer")
    assert unsaved is not None and not unsaved.id and unsaved.versions[0].subject_fr.startswith("Votre avis")
    db.session.commit()
    assert not db.session.scalar(select(func.count()).select_from(Template))
    templates.ensure_defaults(cassiopee.organisation)
    own = Template(organisation_id=cassiopee.id, type=type, kind="trainer", name="Intervenants")
    own.versions = [TemplateVersion(organisation_id=cassiopee.id, number=1, subject_fr="Bilan", message_fr="Bonjour")]
    db.session.add(own)
    db.session.commit()
    assert templates.find(cassiopee.id, type, "trainer") is own
    everybody = templates.find(cassiopee.id, type, "learner")
    assert everybody is not None and everybody.kind == "" and everybody.id
    assert templates.find(boreale.id, type, "trainer").id is None  # type: ignore[union-attr]
    assert templates.find(cassiopee.id, "billing.custom") is None
    writing = templates.writing(own, cassiopee.organisation, training_session=session())
    assert writing.draft(person(language="en")).subject == "Bilan"  # no English words: French for everybody


def test_html_words_are_made_safe_and_have_a_text_part(app: Flask, cassiopee: House) -> None:
    template = templates.find(cassiopee.id, EmailType.EVALUATION_HOT.value)
    assert template is not None
    template.versions[0].format = TemplateFormat.HTML
    template.versions[0].message_fr = (
        "<style>.b{color:#a00;background:url(https://x.example/a.png)}</style><script>alert(1)</script>"
        '<p class="b" onclick="x()">Bonjour {{ personne.nom }}</p>'
        '<table>{% if session.lieu != "" %}<tr><td>{{ session.lieu }}</td></tr>{% endif %}</table>'
        '<p><a href="{{ evaluation.lien }}">Répondre</a> <a href="{{ personne.nom }}">non</a> '
        '<a href="javascript:alert(1)">non</a><img src="https://x.example/l.png" alt="Logo"><img src="http://x/a"></p>'
    )
    draft = templates.writing(
        template, cassiopee.organisation, training_session=session(), links=lambda _: LINKS
    ).draft(person())
    body = draft.html[draft.html.index('class="body"') : draft.html.index('class="foot"')]
    assert 'color: #a00">Bonjour Martin' in body
    assert not [word for word in ("script", "onclick", "url(") if word in body]
    assert "<tr><td>Rennes</td></tr>" in body.replace(' style=""', "")
    assert body.count("href=") == 1 and 'href="https://exemple.example/f/abc"' in body and "javascript" not in body
    assert body.count("<img") == 2 and 'src="https://x.example/l.png"' in body and "http://x/a" not in body
    assert "Bonjour Martin" in draft.text and "Rennes" in draft.text and "https://exemple.example/f/abc" in draft.text


def test_a_letter_about_a_session_gives_the_recipients_own_page_once(app: Flask, cassiopee: House) -> None:
    template = templates.find(cassiopee.id, EmailType.RULES.value)
    assert template is not None

    def written(links: dict[str, str], language: str = "fr") -> tuple[str, str]:
        writing = templates.writing(
            template, cassiopee.organisation, training_session=session(), links=lambda _: links
        )  # fmt: skip
        draft = writing.draft(person(language=language))
        return draft.text, draft.html

    text, html = written(LINKS)
    assert text.endswith("\n\nRetrouver tous vos e-mails et documents de cette session : " + LINKS["espace"] + "\n")
    assert html.count(f'href="{LINKS["espace"]}"') == 1
    assert "Find all your e-mails" in written(LINKS, "en")[0]
    text, html = written({})
    assert text.endswith("Atelier Cassiopée\n") and "Retrouver" not in text + html
    template.versions[0].message_fr = "[Votre page]({{ espace.lien }})"
    text, html = written(LINKS)
    assert text == f"Votre page : {LINKS['espace']}\n" and "Retrouver" not in html


def test_a_tag_of_another_type_is_refused(app: Flask, cassiopee: House) -> None:
    template = templates.find(cassiopee.id, EmailType.CONVOCATION.value)
    assert template is not None
    template.versions[0].message_fr = "{{ facture.numero }}"
    with pytest.raises(UserMistake, match="La balise {{ facture.numero }} n'existe pas"):
        templates.writing(template, cassiopee.organisation, training_session=session()).check(
            {ContactKind.LEARNER: "Apprenant"}
        )


@pytest.mark.parametrize(
    ("data", "name", "french", "english"),
    [
        ({"invoice": {"amount": "1200.5", "currency": "usd"}}, "facture.montant", "1\u202f200,50\u00a0$US",
         "US$1,200.50"),
        ({"invoice": {"amount": True}}, "facture.montant", "", ""),
        ({"invoice": {"amount": float("nan")}}, "facture.montant", "", ""),
        ({"invoice": {"amount": 5, "currency": ["EUR"]}}, "facture.montant", "", ""),
        ({"invoice": {"due_on": "2026-12-01"}}, "facture.echeance", "1er décembre 2026", "1 December 2026"),
        ({"invoice": {"due_on": "demain"}}, "facture.echeance", "", ""),
        ({"invoice_due_on": "2026-11-30T23:30:00Z"}, "facture.echeance", "1er décembre 2026", "1 December 2026"),
        ({"invoice": {"url": "javascript:alert(1)"}}, "facture.lien", "", ""),
        ({"invoice": {"url": "https://a.example/x?y=1"}}, "facture.lien", "https://a.example/x?y=1", "https://a.example/x?y=1"),
        ({"card": {"expires": "2026-11"}}, "carte.fin", "novembre 2026", "November 2026"),
        ({"card": {"expires": "0000-13"}}, "carte.fin", "", ""),
        ({"card": "4242"}, "carte.numero", "", ""),
        ({"invoice": {"number": {"a": 1}}}, "facture.numero", "", ""),
        ({"invoice": {"number": " F\r\n1 "}}, "facture.numero", "F 1", "F 1"),
        (None, "facture.numero", "", ""),
    ],
)  # fmt: skip
def test_event_fields_are_written_or_blank(
    app: Flask, data: dict[str, object] | None, name: str, french: str, english: str
) -> None:
    group, _, key = name.partition(".")
    said = [event_tags.values(data, {group}, language, "Europe/Paris")[group][key] for language in ("fr", "en")]
    assert said == [french, english]


def test_every_event_tag_has_its_field() -> None:
    assert list(event_tags.FIELDS) == [tag.name for tag in tag_list.EVENT_TAGS]
