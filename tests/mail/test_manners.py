"""The algebra of pace, and which replies ask to slow down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.manners import DOUBLING, FEWEST, SLOWEST, grown, halved, share, slows_down, whole_after

SLOWS = [
    (421, "4.7.28 too many messages, slow down"),
    (421, "Service not available, closing transmission channel"),
    (421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"),
    (450, "4.3.2 system not accepting network messages"),
    (450, "4.7.28 Gmail has detected an unusual rate of mail"),
    (451, "4.7.1 Too many connections from your IP (192.0.2.1)"),
    (452, "4.5.3 Too many recipients this hour"),
    (450, "4.7.1 Rate limit exceeded, try again later"),
    (451, "Your sending rate is too high"),
    (421, "4.7.0 Trop de connexions depuis votre adresse"),
    (450, "4.7.0 Trop de messages envoyés, veuillez ralentir"),
    (451, "4.7.0 Débit maximal dépassé"),
    (421, "mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. OFR005_104"),
    (554, "5.7.1 Too many concurrent connections from your host"),
]
DOES_NOT = [
    (452, "4.2.2 mailbox full"),
    (421, "4.2.2 The recipient's inbox is full"),
    (452, "4.2.2 Too many messages in the mailbox, over quota"),
    (450, "mailbox full, quota exceeded"),
    (451, "4.7.1 Greylisting in action, please come back later"),
    (450, "4.7.1 greylisted, try again"),
    (421, "Greylisted, rate of first contacts: please try again in 300 seconds"),
    (450, "4.7.0 Message placé en liste grise"),
    (421, "4.4.2 Error: timeout exceeded"),
    (451, "4.3.0 try again later"),
    (450, "4.1.1 user unknown"),
    (450, "4.1.2 corporate.example: the address does not operate any more"),
    (454, "5.4.6 too many hops"),
    (550, "5.7.1 too many messages: blocked"),
    (550, "5.1.1 no such user"),
    (554, "5.7.1 too many complaints about your messages"),
    (250, "2.0.0 ok, at this rate"),
]


@pytest.mark.parametrize(("code", "text"), SLOWS)
def test_a_reply_that_asks_for_less_slows_down(code, text):
    assert slows_down(code, text)


@pytest.mark.parametrize(("code", "text"), DOES_NOT)
def test_a_full_box_greylisting_and_others_never_do(code, text):
    assert not slows_down(code, text)


@given(st.integers(200, 599), st.text(max_size=300))
def test_no_words_break_the_judgement(code, text):
    assert slows_down(code, text) in (True, False)


levels = st.floats(0.5, 100_000)
ages = st.floats(0, 10_000_000)


@given(levels, ages, levels)
def test_a_pace_never_grows_over_what_is_set(level, age, most):
    assert grown(level, age, most) <= most


@given(levels, ages, ages, levels)
def test_a_pace_only_ever_grows_between_two_halvings(level, age, later, most):
    first, second = sorted((age, later))
    assert grown(level, first, most) <= grown(level, second, most)


@given(levels, levels)
def test_what_was_halved_is_whole_when_it_is_said_to_be(level, most):
    after = whole_after(level, most)
    assert grown(level, after * 1.000001 + 0.001, most) == most
    if level < most * 0.99:
        assert grown(level, after * 0.99, most) < most


@given(st.lists(st.floats(0, 2 * DOUBLING), max_size=30), levels)
def test_no_train_of_halvings_leaves_the_bounds(gaps, most):
    level, floor = most, min(SLOWEST, most)
    for gap in gaps:
        before = grown(level, gap, most)
        level = halved(before, floor)
        assert floor <= level <= before <= most
        assert level == floor or level == before / 2


def test_a_clock_set_back_does_not_shrink_a_pace():
    assert grown(10, -5000, 40) == 10


def test_one_line_always_stays():
    assert halved(1, FEWEST) == 1 and halved(1.7, FEWEST) == 1 and halved(8, FEWEST) == 4


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 40)), max_size=60),
)
def test_lines_are_shared_out_without_ever_being_given_twice(total, workers, beats):
    """Workers beat in any order and open or close lines within what they were given."""
    given = [0] * len(workers)
    held = [0] * len(workers)
    for n, wish in beats:
        if n >= len(workers):
            continue
        others = [lines for m, lines in enumerate(given) if m != n]
        lines = share(total, held[n], n, others)
        held[n] = min(wish, lines)
        given[n] = max(lines, held[n])
        assert sum(held) <= sum(given) <= total
    for _ in range(2):
        for n in range(len(workers)):
            others = [lines for m, lines in enumerate(given) if m != n]
            lines = share(total, held[n], n, others)
            held[n] = min(held[n], lines)
            given[n] = lines
    assert sum(given) == total and max(given) - min(given) <= 1


def test_lines_that_became_fewer_are_left_by_each_in_its_part():
    assert share(1, 1, 0, [1]) == 1
    assert share(1, 1, 1, [1]) == 0
    assert share(4, 6, 0, [6]) == 2
    assert share(4, 0, 1, [4]) == 0
