"""The gallery renders without any row, in both languages, for a stranger and for a member of staff."""

from __future__ import annotations

import pytest

from tests.client import Browser
from tests.conftest import House


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_component_renders(client: Browser, cassiopee: House, language: str) -> None:
    client.get("/gallery", headers={"Accept-Language": language})
    assert client.html.get("lang") == language
    client.sign_in(cassiopee.staff).get("/gallery")
    assert len(client.html.xpath("//tbody[@id='rows']/tr[not(@class='detail-row')]")) == 8
    assert not client.html.xpath("//script[not(@src)] | //*[@style] | //*[starts-with(name(), 'hx-on')]")


def test_the_letter_is_shown_under_a_policy_of_its_own(client: Browser) -> None:
    answer = client.get("/gallery/letter")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
