"""The search box's algebra: text → filter → text → filter, in both languages, and mistakes said without losing the
rest."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history import HistoryFilter, search
from history.search_words import NAMES, OPERATORS, operator_of, vocabularies
from tests.history.test_filters import QUERIES

TODAY = date(2026, 11, 22)
KNOWN = search.Known(
    segment=(("G-vip", "Clients fidèles"), ("G-two", "Écoles"), ("G-x", 'Dit "x"'), ("G-y", "Écoles du nord"),
             ("G-same", "Double"), ("G-same2", "double"), ("G-id", "G-vip")),
    sender=(("formation@cassiopee.example", "Formation@cassiopee.example"), ("ecole@cassiopee.example", "ecole@…")),
    by=(("sophie@cassiopee.example", "Sophie Lambert"), ("mathieu@cassiopee.example", "Mathieu Rolland")),
)  # fmt: skip
LANGUAGES = st.sampled_from(["fr", "en"])
WORDS = [*NAMES, "to", "à", "À", "jusqu'au", "-statut", "Re", "nonsense", "segment", "période"]
VALUES = ["petit", "erreur", '"carte expirée"', "« en erreur »", "2026-10-01", "31/12/2199", "01/01/1900", "2026-10",
          "2026", "hier", "today", "oui", "no", "pièce", "a@b.example", "S-2041", "C-12", "G-vip", "sophie", "=free",
          "order.shipped", "erreur,attente", "mois", "30-derniers-jours", "envoi", '"', '""', "“x", "---", "=", ",",
          "facture", "convoc", "demandé", "=x@y", "élan.example", "ce-mois-ci", "a:b", "http://x.example"]  # fmt: skip
PIECES = st.one_of(
    st.tuples(st.sampled_from(WORDS), st.sampled_from([":", ": ", " : ", ""]), st.sampled_from(VALUES)).map("".join),
    st.text(max_size=20),
)
TEXTS = st.lists(PIECES, max_size=7).map(" ".join)


def plain(filter_: HistoryFilter) -> HistoryFilter:
    """The question without order, page and size, which are no part of a search."""
    return filter_.with_(sort="-date", limit=HistoryFilter.limit)


@given(TEXTS, LANGUAGES, LANGUAGES)
def test_any_text_is_read_and_comes_back_from_its_own_writing(text: str, language: str, other: str) -> None:
    once = search.read(text, TODAY, language, KNOWN).filter
    assert HistoryFilter.from_query(once.to_query()) == once
    written = search.write(once, language, KNOWN)
    again = search.read(written, TODAY, other, KNOWN)
    assert again.filter == once, written
    assert not again.mistakes, (written, again.mistakes)
    assert search.write(again.filter, language, KNOWN) == written


@given(QUERIES, LANGUAGES, st.sampled_from([KNOWN, search.Known()]))
def test_any_filter_comes_back_from_its_text(pairs: list[tuple[str, str]], language: str, known: search.Known) -> None:
    asked = plain(HistoryFilter.from_query(pairs))
    written = search.write(asked, language, known)
    read = search.read(written, TODAY, language, known)
    assert (read.filter, read.mistakes) == (asked, ()), written


def said(filter_: HistoryFilter) -> str:
    """The canonical query, to be read by people."""
    return "&".join(f"{name}={value.replace(' ', '+')}" for name, value in filter_.to_query())


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", ""),
        ('to:petit statut:erreur objet:"carte expirée" avant:2026-10-01',
         "status=error&recipient=petit&subject=carte+expirée&period=custom&to=2026-09-30"),
        ('à:petit status:error subject:"carte expirée" before:01/10/2026',
         "status=error&recipient=petit&subject=carte+expirée&period=custom&to=2026-09-30"),
        ("carte expirée petit@mail.example", "recipient=petit@mail.example&subject=carte+expirée"),
        ("objet : « carte expirée »", "subject=carte+expirée"),
        ("objet: facture", "subject=facture"),
        ("DESTINATAIRE:Léa to:Petit", "recipient=Léa+Petit"),
        ("statut:erreur,demandé", "status=error&status=requested"),
        ("status:undeliverable status:envoyé", "status=sent&status=undeliverable"),
        ("statut:réception", "status=undeliverable"),
        ('statut:"erreur à l\'envoi"', "status=failed"),
        ("type:convocation type:order.shipped", "type=convocation&type=order.shipped"),
        ("type:facture", "type=invoice"),
        ("type:=facture", "type=facture"),
        ("motif:boîte-pleine,user_unknown", "reason=user_unknown&reason=mailbox_full"),
        ("client:durand session:S-2041", "session=S-2041&contact=durand"),
        ("le:22/11/2026", "period=custom&from=2026-11-22&to=2026-11-22"),
        ("on:2026-10", "period=custom&from=2026-10-01&to=2026-10-31"),
        ("après:2026-09 avant:2026-11", "period=custom&from=2026-10-01&to=2026-10-31"),
        ("depuis:hier", "period=custom&from=2026-11-21"),
        ("jusqu'au:02/2024", "period=custom&to=2024-02-29"),
        ("le:ce-mois-ci", "period=month"),
        ("période:30-derniers-jours selon:envoi", "date_field=sent&period=rolling_30"),
        ("period:year dated:changed", "date_field=updated&period=year"),
        ("has:attachment", "attachment=yes"),
        ("sans:pièce renvoyé:non traité:oui", "attachment=no&resent=no&treated=yes"),
        ("pièce:oui", "attachment=yes"),
        ("segment:fidèles", "segment=G-vip"),
        ("segment:écoles", "segment=G-two"),
        ("segment:G-unknown", "segment=G-unknown"),
        ("par:sophie de:ecole", "sender=ecole@cassiopee.example&by=sophie@cassiopee.example"),
        ("from:Other@x.example", "sender=other@x.example"),
        ("domain:Orange.FR", "operator=orange.fr"),
        ("apprenants:oui", "learners=yes"),
        ("numéro:E-12ab,E-0z id:E-7", "number=E-0z,E-12ab,E-7"),
        ('"to:petit"', "subject=to:petit"),
        ("Re: facture", "subject=Re:+facture"),
        ("voir http://x.example/a 12:30", "subject=voir+http://x.example/a+12:30"),
    ],
)  # fmt: skip
def test_read(text: str, query: str) -> None:
    found = search.read(text, TODAY, known=KNOWN)
    assert (said(found.filter), found.mistakes) == (query, ())


@pytest.mark.parametrize(
    ("text", "query", "part", "says"),
    [
        ("statu:erreur to:petit", "recipient=petit", "statu:erreur", "Vouliez-vous dire « %(meant)s »"),
        ("coucou:erreur to:petit", "recipient=petit", "coucou:erreur", "guillemets"),
        ("statut:erruer to:petit", "recipient=petit", "statut:erruer", "Vouliez-vous dire « %(meant)s »"),
        ("statut:zzz to:petit", "recipient=petit", "statut:zzz", "l'aide donne"),
        ("type:convocatoin", "", "type:convocatoin", "Vouliez-vous dire"),
        ("avant:demain to:petit", "recipient=petit", "avant:demain", "n'est pas une date"),
        ("avant:2026-02-30", "", "avant:2026-02-30", "n'est pas une date"),
        ("depuis:2026-10-02 avant:2026-10-01", "period=custom&from=2026-10-02", "avant:2026-10-01", "aucun jour"),
        ("période:month avant:2026", "period=month", "avant:2026", "ne vont pas ensemble"),
        ("avant:2026 période:month", "period=custom&to=2025-12-31", "période:month", "ne vont pas ensemble"),
        ("-statut:erreur to:petit", "recipient=petit", "-statut:erreur", "exclure"),
        ("to:petit objet:", "recipient=petit", "objet:", "Il manque ce que vous cherchez"),
        ("objet: to:petit", "recipient=petit", "objet:", "Il manque ce que vous cherchez"),
        ("to:--- petit", "subject=petit", "to:---", "ni lettre ni chiffre"),
        ("pièce:oui sans:pièce", "attachment=yes", "sans:pièce", "une seule valeur"),
        ("avec:courage", "", "avec:courage", "seul « pièce »"),
        ("traité:peut-être", "", "traité:peut-être", "par oui ou par non"),
        ("segment:rien", "", "segment:rien", "aucun segment"),
        ("segment:double", "", "segment:double", "ou plusieurs"),
        ("numéro:E-1,12", "number=E-1", "numéro:E-1,12", "pas un numéro"),
        ("par:personne", "", "par:personne", "personne ne porte"),
        ("opérateur:a..b", "", "opérateur:a..b", "pas un domaine"),
        ('to:petit objet:"carte expirée', "recipient=petit&subject=carte+expirée", None, "guillemet"),
        ("to:" + "a" * 300, "recipient=" + "a" * 200, "to:" + "a" * 77, "signes au plus"),
        ("a " * 600, "subject=" + "+".join("a" * 100), None, ""),
    ],
)  # fmt: skip
def test_a_mistake_is_said_and_the_rest_kept(text: str, query: str, part: str | None, says: str) -> None:
    found = search.read(text, TODAY, known=KNOWN)
    assert said(found.filter) == query
    assert len(found.mistakes) == 1 or not says
    assert says in found.mistakes[0].message and found.mistakes[0].values.get("asked") == part or part is None


def test_it_is_written_in_the_words_of_the_page() -> None:
    asked = HistoryFilter.from_query(parse_qsl(
        "recipient=petit&status=error&status=requested&subject=carte+expirée&to=2026-09-30&segment=G-vip&reason=blocked"
        "&type=invoice&type=own&treated=no&date_field=sent"
    ))  # fmt: skip
    assert search.write(asked, "fr", KNOWN) == (
        'à:petit objet:"carte expirée" statut:erreur,demandé type:facture,own motif:envoi-bloqué avant:2026-10-01 '
        'traité:non segment:"Clients fidèles" selon:envoi'
    )
    assert search.write(asked, "en", KNOWN) == (
        'to:petit subject:"carte expirée" status:error,requested type:invoice,own reason:sending-blocked '
        'before:2026-10-01 treated:no segment:"Clients fidèles" dated:sent'
    )


def test_every_operator_is_known_by_its_names_and_its_examples_are_understood() -> None:
    for operator in OPERATORS:
        for name in (*operator.names, *operator.also):
            assert operator_of(name.upper()) is operator, name
        for example in operator.examples:
            found = search.read(example, TODAY, known=KNOWN)
            assert not found.mistakes, (example, found.mistakes)
            assert found.filter.narrowed or found.filter.date_field is not HistoryFilter.date_field


def test_every_code_has_a_word_of_its_own_in_each_language() -> None:
    for vocabulary in vocabularies().values():
        for language in ("fr", "en"):
            words = {vocabulary.word(code, language): code for code in set(vocabulary.codes.values())}
            assert {word: vocabulary.code(word) for word in words} == words
