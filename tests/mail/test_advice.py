"""mail.advice: which address was meant; what it promises holds for whatever people type."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mail.advice import MOST, Colleague, Known, Person, Suggestion, Why, canonical, pattern, slip, suggestions, valid
from people.contacts import COMMON_DOMAINS

SOON, LATE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(("typed", "meant"), [
    ("luc.petit@wanado.fr", "luc.petit@wanadoo.fr"), ("a@hotmial.fr", "a@hotmail.fr"), ("a@gmial.com", "a@gmail.com"),
    ("a@free.fe", "a@free.fr"), ("a@gmailcom", "a@gmail.com"), ("a@gmail.con", "a@gmail.com"),
    ("a@acme.con", "a@acme.com"), ("a@acme.frr", "a@acme.fr"), ("a@acme,fr", "a@acme.fr"),
    ("a b@acme.fr", "ab@acme.fr"), ("a@@acme.fr", "a@acme.fr"), ("a(at)acme.fr", "a@acme.fr"),
    ("a.@acme.fr", "a@acme.fr"), ("a..b@acme.fr", "a.b@acme.fr"), ("a@acme.fr.", "a@acme.fr"),
    ("mailto:a@acme.fr", "a@acme.fr"), ("<a@acme.fr>", "a@acme.fr"), ("a@www.acme.fr", "a@acme.fr"),
    ("a@laposte.ent", "a@laposte.net"), ("A.B@ORANGE.RF", "A.B@orange.fr"),
    ("a@gmail.com", None), ("a@acme.fr", None), ("a@acme.co", None), ("a@frere-et-fils.fr", None), ("rien", None),
    ("@gmial.com", None), ("", None), ("a@", None), ("a@live.be", None), ("a@gmail.fr", None),
])  # fmt: skip
def test_slips(typed: str, meant: str | None) -> None:
    assert slip(typed, COMMON_DOMAINS) == meant


def test_a_companys_own_domain_comes_before_those_of_everybody() -> None:
    assert slip("a@oranges.fr", ["orangers.fr", *COMMON_DOMAINS]) in ("a@orangers.fr", "a@orange.fr")
    assert slip("luc@menuiserie-thoms.fr", ["menuiserie-thomas.fr"]) == "luc@menuiserie-thomas.fr"


@pytest.mark.parametrize(("addresses", "told"), [
    (["jean-marc.noel@acme.fr", "zoe.oneil@acme.fr"], ("prenom.nom", "acme.fr")),
    (["j.noel@acme.fr", "z.oneil@acme.fr"], ("p.nom", "acme.fr")),
    (["jnoel@acme.fr", "zoneil@acme.fr"], ("pnom", "acme.fr")),
    (["noel@acme.fr", "oneil@acme.fr"], ("nom", "acme.fr")),
    (["noelj@acme.fr", "oneilz@acme.fr"], ("nomp", "acme.fr")),
    (["Zoe.ONeil@Acme.FR", "jean-marc.noel@acme.fr"], ("prenom.nom", "acme.fr")),
    (["jean-marc.noel@acme.fr", "direction@acme.fr"], None),
    (["jean-marc.noel@acme.fr", "zoe.oneil@autre.fr"], None),
    (["jean-marc.noel@gmail.com", "zoe.oneil@gmail.com"], None),
    (["", "rien"], None),
])  # fmt: skip
def test_how_a_company_writes(addresses: list[str], told: tuple[str, str] | None) -> None:
    people = [("Jean-Marc", "Noël"), ("Zoé", "O'Neil")]
    if addresses[0].lower().startswith("zoe"):
        people.reverse()
    known = [Colleague(first, last, address) for (first, last), address in zip(people, addresses, strict=True)]
    assert pattern(known, COMMON_DOMAINS) == told
    assert pattern([*reversed(known)], COMMON_DOMAINS) == told


def test_a_pattern_needs_most_of_the_colleagues() -> None:
    named = [Colleague("Ada", "Roy", "ada.roy@acme.fr"), Colleague("Luc", "Petit", "luc.petit@acme.fr")]
    others = [Colleague("Eve", "Blanc", "eblanc@acme.fr"), Colleague("Max", "Noir", "mn@acme.fr")]
    assert pattern([*named, others[0]]) == ("prenom.nom", "acme.fr")
    assert pattern([*named, *others]) is None


def test_the_likeliest_comes_first_and_what_is_dead_never() -> None:
    person = Person(
        "Paul", "Martin", record="paul@laposte.net",
        others=[Known("p1@x.fr"), Known("p2@x.fr", SOON), Known("p3@x.fr", LATE), Known("PAUL@wanado.fr", LATE)],
        colleagues=[Colleague("Ada", "Roy", "ada.roy@acme.fr"), Colleague("Luc", "Petit", "luc.petit@acme.fr")],
        dead=["p1@X.fr"],
    )  # fmt: skip
    assert suggestions("paul@wanado.fr", person, COMMON_DOMAINS) == [
        Suggestion("paul@laposte.net", Why.RECORD),
        Suggestion("paul@wanadoo.fr", Why.SLIP, {"was": "wanado.fr"}),
        Suggestion("p3@x.fr", Why.ARRIVED), Suggestion("p2@x.fr", Why.ARRIVED),
        Suggestion("paul.martin@acme.fr", Why.PATTERN, {"pattern": "prenom.nom", "domain": "acme.fr"}),
    ]  # fmt: skip
    assert suggestions("paul@wanado.fr", Person(), ()) == []


_part = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
_typed = st.one_of(
    st.text(max_size=40), st.builds("{}@{}".format, _part, st.sampled_from([*COMMON_DOMAINS, "wanado.fr", "acme.con"])),
    st.builds("{}@{}.{}".format, _part, _part, st.sampled_from(["fr", "con", "f", ""])), st.emails(),
)  # fmt: skip
_people = st.builds(
    Person, _part, _part, _typed, st.lists(st.builds(Known, _typed, st.sampled_from([None, SOON, LATE])), max_size=4),
    st.lists(st.builds(Colleague, _part, _part, _typed), max_size=4), st.lists(_typed, max_size=3),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_typed, _people)
@example("a@gmial.com", Person(record="A@GMIAL.COM ", dead=["a@gmail.com"]))
def test_what_is_suggested(typed: str, person: Person) -> None:
    found = suggestions(typed, person, COMMON_DOMAINS)
    addresses = [canonical(one.address) for one in found]
    assert canonical(typed) not in addresses
    assert len(set(addresses)) == len(addresses) <= MOST
    assert all(valid(one.address) for one in found)
    assert not {*addresses} & {*map(canonical, person.dead)}
    assert all(one.why.label % one.values for one in found)
    assert found == suggestions(typed, person, COMMON_DOMAINS)


@settings(max_examples=300, deadline=None)
@given(_typed)
def test_a_mended_address_needs_no_more_mending(typed: str) -> None:
    meant = slip(typed, COMMON_DOMAINS)
    assert meant is None or slip(meant, COMMON_DOMAINS) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(Colleague, _part, _part, _typed), max_size=6), st.randoms())
def test_the_order_of_colleagues_does_not_matter(colleagues: list[Colleague], chance: object) -> None:
    shuffled = list(colleagues)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    distinct = {canonical(c.address) for c in colleagues}
    if len(distinct) == len(colleagues):
        assert pattern(shuffled) == pattern(colleagues)
