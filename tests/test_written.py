"""Telephones and addresses as pages write them."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from blueprints.written import breaking, phone, tel


@pytest.mark.parametrize(
    ("typed", "shown", "called"),
    [
        ("0612345678", "06 12 34 56 78", "0612345678"),
        ("06.12.34.56.78", "06 12 34 56 78", "0612345678"),
        ("06-12-34-56-78", "06 12 34 56 78", "0612345678"),
        ("06 12 34 56 78", "06 12 34 56 78", "0612345678"),
        ("+33 6 12 34 56 78", "+33 6 12 34 56 78", "+33612345678"),
        ("+33 (0)6 12 34 56 78", "+33 (0)6 12 34 56 78", "+33612345678"),
        ("+44 20 7946 0000", "+44 20 7946 0000", "+442079460000"),
        ("02 40 00 12 34 poste 12", "02 40 00 12 34 poste 12", "0240001234"),
        ("3615", "3615", "3615"),
        ("0012345678", "0012345678", "0012345678"),
        ("٠٦١٢٣٤٥٦٧٨", "٠٦١٢٣٤٥٦٧٨", ""),
        ("à midi", "à midi", ""),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_a_telephone_is_grouped_as_france_does_and_no_other(typed: str | None, shown: str, called: str) -> None:
    assert phone(typed).replace("\u00a0", " ") == shown
    assert tel(typed) == called


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        ("jean_marc.le.goff@ateliers-du-port.example", "jean_|marc.|le.|goff|@ateliers-du-port.example"),
        ("yasmine.delorme@courrier.fr", "yasmine.|delorme|@courrier.fr"),  # "fr" does not stand alone
        ("a@rh.mairie.grand-bassin.fr", "a|@rh.|mairie.|grand-bassin.fr"),
        ("rue.example.org", "rue.|example.org"),
        ("..a__b..@x", "..|a_|_|b..|@x"),
        ('<b>@"x.', '&lt;b&gt;|@&#34;x.'),
        ("", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_an_address_breaks_at_its_joints_only_and_is_whole_when_copied(address: str | None, lines: str) -> None:
    assert breaking(address) == Markup(lines.replace("|", "<wbr>"))
