"""Words on screen: the English catalogue is whole, French is typed plainly and set properly, dates and numbers agree.

The words are extracted here as `make messages` does, so a sentence without its English fails at once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po
from flask import Flask, g

import i18n
from extensions import db
from history.periods import DateField, Period
from models import User, words
from models.words import Status, Word
from people.tokens import Access
from tests.client import Browser
from tests.conftest import House
from tests.wording import words_alone

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "translations" / "en" / "LC_MESSAGES" / "messages.po"
HOLES = re.compile(r"%\((\w+)\)s|%%")


@lru_cache(maxsize=1)
def extracted() -> Catalog:
    """The words in code and templates."""
    with (ROOT / "babel.cfg").open() as cfg:
        methods, options = parse_mapping_cfg(cfg)
    found = Catalog(locale="en")
    keywords = {**DEFAULT_KEYWORDS, "N_": None, "_": None, "ngettext": (1, 2)}
    for _file, _line, ids, _comments, _context in extract_from_dir(
        ROOT, methods, options, keywords,
        directory_filter=lambda path: Path(path).name not in {"tests", "bench", "var", "node_modules"}
        and not Path(path).name.startswith("."),
    ):  # fmt: skip
        found.add(ids)
    return found


@lru_cache(maxsize=1)
def translated() -> Catalog:
    """The English catalogue."""
    with PO.open("rb") as source:
        return read_po(source, locale="en")


def pairs(catalogue: Catalog) -> Iterator[tuple[str, str]]:
    """(French, English) of each sentence, singular and plural apart."""
    for message in catalogue:
        if message.id:
            yield from zip(_forms(message.id), _forms(message.string), strict=False)


def _forms(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _ids(catalogue: Catalog) -> set[tuple[str, ...]]:
    return {_forms(message.id) for message in catalogue if message.id}


def test_the_catalogue_holds_the_words_of_the_house_and_no_others() -> None:
    missing, left_over = _ids(extracted()) - _ids(translated()), _ids(translated()) - _ids(extracted())
    assert (missing, left_over) == (set(), set()), "run `make messages`, then say the new words in English"


def test_every_word_has_its_english() -> None:
    def whole(message: Message) -> bool:
        return (
            not message.fuzzy
            and len(_forms(message.string)) == len(_forms(message.id))
            and all(form.strip() for form in _forms(message.string))
        )

    assert [message.id for message in translated() if message.id and not whole(message)] == []
    assert not translated().obsolete


def test_english_keeps_the_holes_and_the_closing_mark() -> None:
    def end(text: str) -> str:
        return text[-1:] if text.endswith((".", ":", "?", "!", "…")) else ""

    holes = [(fr, en) for fr, en in pairs(translated()) if sorted(HOLES.findall(fr)) != sorted(HOLES.findall(en))]
    ends = [(fr, en) for fr, en in pairs(translated()) if end(fr) != end(en)]
    assert (holes, ends) == ([], [])


SIGNS = {" : ", " ; "}  # between two values


def test_french_is_typed_plainly() -> None:
    """i18n.french() adds the typographic spaces and apostrophes; typed, they would make a second message id."""
    ids = [form for message in extracted() if message.id for form in _forms(message.id)]
    assert [text for text in ids if re.search("[\u202f\u00a0\u2019]", text)] == []
    assert [text for text in ids if text not in SIGNS and text != text.strip() or "  " in text] == []
    assert [
        text for text in ids if re.search(r"\w([!?»]|;(?!\w))|«\S", text) or re.search(r"[^\d\s]:(?!//)", text)
    ] == []


def test_the_houses_words() -> None:
    """One word for one thing (docs/words.md)."""
    french = r"courriel|[Ff]ournisseur|(?<![Ee]-)\b[Mm]ails?\b|\bemails?\b|[Éé]vénement|supprimé de la liste"
    english = r"\b[Ee]mails?\b|organization|[Cc]olor\b|\bcanceled\b|\blog ?in\b|['\"“”]"
    assert [fr for fr, _en in pairs(translated()) if re.search(french, fr)] == []
    assert [en for _fr, en in pairs(translated()) if re.search(english, en)] == []


@pytest.mark.parametrize(
    ("french", "english", "otherwise"),
    [
        (r"[Rr]envo(?:i|is|yer|yez|yé|yés)\b", r"[Rr]es(?:end|ent)", {
            "Retirez ce renvoi, ou corrigez son nom.",  # of one SPF record to another
        }),
        (r"\b[Mm]otif", "[Rr]eason", set()),
        (r"\b[Oo]pérateur", "[Ee]-mail provider", set()),
        (r"[Ss]ervices? d'envoi", "[Ss]ending service", set()),
        (r"\b[Cc]onvocation", "[Jj]oining instruction", set()),
        (r"\b[Ff]iche", r"\b[Rr]ecord", set()),
        (r"\b[Ii]nscri(?:re|t|ts|vez|ption)\b", r"\b[Ee]nrol", set()),
        (r"[Pp]ièces? jointes?", r"\b[Aa]ttach", set()),
        ("[Ii]ndésirable", r"\b[Ss]pam\b", set()),
        (r"\b[Bb]alise", r"\b[Mm]erge tag", set()),
        (r"\b[Pp]rogrammés?\b", r"\b[Ss]cheduled\b", set()),
        (r"non valide|n'est pas valide", "not valid", set()),
    ],
    ids=[
        "resend", "reason", "provider", "sending service", "joining instructions", "record", "enrol", "attachment",
        "spam", "merge tag", "scheduled", "not valid",
    ],
)  # fmt: skip
def test_one_word_for_one_thing(french: str, english: str, otherwise: set[str]) -> None:
    """The rows of the table in docs/words.md: where the French says the one, the English says the other."""
    said = [(fr, en) for fr, en in pairs(translated()) if re.search(french, fr) and fr not in otherwise]
    assert said, "the row holds nothing"
    assert [(fr, en) for fr, en in said if not re.search(english, en)] == []


def test_the_papers_use_those_words_too() -> None:
    """README and docs, but for what they quote: code, and the table itself."""
    papers = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    other = re.compile(r"\b(?:[Ss]end|[Ss]ent|[Ss]ending) again\b|\b[Oo]perators?\b|[Mm]ailbox provider|\bin number\b")
    said = {one: re.sub(r"`[^`]*`", "", one.read_text()) for one in papers if one.name != "words.md"}
    assert {one.name: found for one, text in said.items() if (found := other.findall(text))} == {}


def test_the_words_not_used() -> None:
    """The last column of that table, as far as a pattern can tell."""
    french = (
        r"[Rr]éexpédi|\b[Rr]aison\b(?! sociale)|[ÉéEe]metteur|[Pp]ourriel|\b[Pp]rofil|[Dd]ocument joint|[Nn]on valable"
        r"|^Retour (?:à|aux)\b|^Chercher\b|\b[Ss]orte\b|\b[Gg]enre\b|^Texte simple|^Dernière modification"
        r"|[Ee]-mails automatiques|^Issue inconnue"
    )
    english = (
        r"\b(?:[Ss]end|[Ss]ent)(?: \w+){0,2} again\b|\b[Oo]perators?\b|[Mm]ailbox provider|\b[Jj]unk\b|\b[Ii]nvalid\b"
        r"|\b[Rr]egister(?:ed)?\b|\b[Ii]nvitations?\b|[Pp]laceholder|[Ff]rom address|[Ii]n number\b"
        r"|\b[Cc]ause other than\b"
        r"|(?<!\b[Oo]pen )\b[Tt]racking\b(?! image)|(?<!e-mail )(?<!E-mail )(?<!Training )\b[Pp]roviders?\b"
    )
    billing = "That of the software or of the provider: it will be shown beside its events."
    assert [fr for fr, _en in pairs(translated()) if re.search(french, fr)] == []
    assert [en for _fr, en in pairs(translated()) if re.search(english, en) and en != billing] == []


def _vocabulary() -> list[type[Word]]:
    found = [kind for kind in vars(words).values() if isinstance(kind, type) and issubclass(kind, Word)]
    return [kind for kind in found if kind is not Word] + [Period, DateField, Access]


@pytest.mark.parametrize("kind", _vocabulary(), ids=lambda kind: kind.__name__)
def test_the_fixed_vocabulary_is_in_english(kind: type[Word]) -> None:
    for member in kind:
        for name in ("label", "meaning", "sentence", "remedy", "plural"):
            if text := getattr(member, name, None):
                message = translated().get(text)
                assert message and message.string, f"{member!r} has no English {name}"


def test_statuses_are_called_as_agreed() -> None:
    assert {status.label: i18n.english().gettext(status.label) for status in Status} == {
        "Demandé": "Requested", "Envoi incertain": "Outcome unknown", "Envoyé": "Sent", "Reçu": "Delivered",
        "Reçu et ouvert": "Opened", "Réception impossible": "Undeliverable", "Erreur à l'envoi": "Send error",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Qui ? Moi ! Bien ; parfait", "Qui\u202f? Moi\u202f! Bien\u202f; parfait"),
        ("Prochain essai : 10:32", "Prochain essai\u00a0: 10:32"),
        ("12 % de 30 €", "12\u00a0% de 30\u00a0€"),
        ("« Oui »", "«\u00a0Oui\u00a0»"),
        ("l'e-mail d'Élodie, qu'on « n'a » pas", "l’e-mail d’Élodie, qu’on «\u00a0n’a\u00a0» pas"),
        ("l'« essai » et l'%(name)s", "l’«\u00a0essai\u00a0» et l’%(name)s"),
        ("Pour %(name)s et %(count)s", "Pour %(name)s et %(count)s"),
        ("Voir https://exemple.fr/a?b=c!d;e", "Voir https://exemple.fr/a?b=c!d;e"),
        ("20 000 lignes, 1 234 567", "20\u202f000 lignes, 1\u202f234\u202f567"),
        ("RFC 4180, le 22/11/2026", "RFC 4180, le 22/11/2026"),
        ("", ""),
    ],
)
def test_french_typography(typed: str, shown: str) -> None:
    assert i18n.french(typed) == shown
    assert i18n.french(shown) == shown


@pytest.fixture
def page() -> Iterator[Flask]:
    """An app with words and nothing else; g.language says whose page it is."""
    yield from words_alone()


@pytest.mark.parametrize(
    ("language", "first", "other", "number"),
    [
        ("fr", "mardi 1er décembre 2026", "dimanche 22 novembre 2026", "1\u202f234\u202f567"),
        ("en", "Tuesday 1 December 2026", "Sunday 22 November 2026", "1,234,567"),
    ],
)
def test_dates_and_numbers_in_both_languages(page: Flask, language: str, first: str, other: str, number: str) -> None:
    g.language = language
    assert i18n.long_date(date(2026, 12, 1)) == first
    assert i18n.longdate_filter(datetime(2026, 11, 22, 9, 0, tzinfo=UTC)) == other
    assert i18n.long_date(date(2026, 12, 11)).split()[1] == "11"
    assert i18n.number_filter(1234567) == number
    shown = i18n.datetime_filter(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
    assert ">01/12/2026 00:30</time>" in shown and f'title="{first} 00:30:00 (Europe/Paris)"' in shown


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("fr", ["0 e-mail", "1 e-mail", "2 e-mails", "12\u202f000 e-mails"]),
        ("en", ["0 e-mails", "1 e-mail", "2 e-mails", "12,000 e-mails"]),
    ],
)
def test_numbers_choose_their_form(page: Flask, language: str, shown: list[str]) -> None:
    g.language = language
    numbers = (0, 1, 2, 12000)
    template = page.jinja_env.from_string('{{ ngettext("%(num)s e-mail", "%(num)s e-mails", number) }}')
    assert [i18n.ngettext("%(num)s e-mail", "%(num)s e-mails", number) for number in numbers] == shown
    assert [template.render(number=number) for number in numbers] == shown


def test_values_are_left_as_they_are(page: Flask) -> None:
    """Typography is for our words, not for what people typed; an empty text has no translation."""
    for language, shown in (("fr", "Retirer le filtre\u00a0: l'a ? 100 %"), ("en", "Remove the filter: l'a ? 100 %")):
        g.language = language
        assert i18n.gettext("Retirer le filtre : %(label)s", label="l'a ? 100 %") == shown
        assert i18n.gettext("") == ""
        assert i18n.gettext("Inconnu au catalogue") == "Inconnu au catalogue"


def _outside_jinja(template: Path) -> str:
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", template.read_text(), flags=re.S)
    return re.sub(r"<!--.*?-->|<[^<>]*>|[\w-]+=\"[^\"]*\"|&\w+;", " ", text, flags=re.S)


def test_templates_say_nothing_by_themselves() -> None:
    """Every word and sign of a page goes through the catalogue; the API's pages are for programmers, in English."""
    names = {"Sillage"}
    said = {}
    for template in sorted((ROOT / "templates").rglob("*.html")):
        if {"gallery", "letters", "api"} & set(template.parts):
            continue
        text = template.read_text()
        found = set(re.findall(r"[^\W\d_]{3,}", _outside_jinja(template))) - names
        # nor French spacing by itself: before a sign in the text, or put between two values
        found |= set(re.findall(r"«|»| [:;!?](?=[\s<}])", re.sub(r"\{([#%{]).*?[#%}]\}", "}", text, flags=re.S)))
        found |= set(re.findall(r"""[^(]["'] [:;] ["']""", text))
        if found:
            said[str(template.relative_to(ROOT))] = found
    assert said == {}


def _speak(user: User, language: str, client: Browser) -> None:
    user.language = language
    db.session.commit()
    client.sign_in(user)


def test_pages_answer_in_the_persons_language(cassiopee: House, client: Browser) -> None:
    typed = {"title": "Hygiène", "state": "planned", "modules-0-day": "31/02/2026", "modules-0-starts": "neuf heures"}
    for language, expected in (
        ("fr", {"Cette date n’existe pas", "Cette heure n’existe pas", "Indiquez l’heure de fin."}),
        ("en", {"This date does not exist", "This time does not exist", "Enter the end time."}),
    ):
        _speak(cassiopee.staff, language, client)
        client.post("/sessions/new", typed, status=422)
        assert {words for words in expected if words not in client.text()} == set()
        client.post("/sessions/new", typed | {"state": "nowhere"}, status=422)
        assert {"fr": "Choisissez dans la liste.", "en": "Choose from the list."}[language] in client.text()


def test_english_pages_hold_no_french(cassiopee: House, client: Browser) -> None:
    """No sentence of the catalogue shows in French on an English page, errors included."""
    french = {i18n.french(fr) for fr, en in pairs(translated()) if len(fr) > 11 and fr != en and not HOLES.search(fr)}
    _speak(cassiopee.admin, "en", client)
    for path, status in (
        ("/sessions", 200), ("/sessions/new", 200), ("/contacts/learners", 200), ("/contacts/companies", 200),
        ("/contacts/import", 200), ("/emails", 200), ("/settings", 200),
        ("/settings/organisation", 200), ("/settings/senders", 200), ("/settings/users", 200),
        ("/settings/tokens", 200), ("/segments", 200),
        ("/segments/new", 200), ("/exports", 200), ("/views", 200), ("/account", 200), ("/emails/E-1", 404),
        ("/nowhere", 404),
    ):  # fmt: skip
        client.get(path, status=status)
        source = client.text() + " ".join(client.html.xpath("//@title | //@aria-label | //@placeholder | //@alt"))
        assert {words for words in french if words in source} == set(), path
        assert client.html.xpath("string(/html/@lang)") == "en"


def test_make_messages_changes_nothing_that_is_done(tmp_path: Path) -> None:
    """The catalogue is in the order and form that `make messages` writes, so that a run shows only what is new."""
    again = BytesIO()
    write_po(again, translated(), width=0, omit_header=True, sort_output=True)
    assert PO.read_text().split("\n\n", 1)[1].strip() == again.getvalue().decode().strip()
    if shutil.which("msgfmt"):
        subprocess.run(["msgfmt", "--check", "-o", tmp_path / "made.mo", PO], check=True, capture_output=True)
