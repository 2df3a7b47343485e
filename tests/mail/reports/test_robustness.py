"""Any bytes give an answer, in bounded time; and the fence holds what doesn't."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mail.reports import Fence, classify, classify_files, read, read_many

from .test_answers_and_complaints import ANSWERS, COMPLAINT, RECEIPT
from .test_prose_reports import DELAYS, FAILURES
from .test_status_reports import one

MESSAGES = [raw for _, raw, *_ in FAILURES] + ANSWERS + DELAYS + [COMPLAINT, RECEIPT, one("failed", "5.1.1", "550 no")]
KINDS = {"bounce", "delayed", "delivered", "feedback", "auto-reply", "read-receipt", "other"}


def is_an_answer(answer: dict) -> bool:
    json.dumps(answer).encode("ascii")
    assert answer["kind"] in KINDS
    assert set(answer) == {"file", "kind", "recipients", "message_id", "envid"}
    for recipient in answer["recipients"]:
        assert "@" in recipient["address"]
        assert "\0" not in recipient["address"]
        recipient["address"].encode("utf-8")
    return True


@given(st.binary(max_size=3000))
def test_any_bytes_have_an_answer(raw):
    assert is_an_answer(classify(raw))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(MESSAGES), st.randoms(use_true_random=False))
def test_any_damage_has_an_answer(raw, rng):
    assert is_an_answer(classify(damaged(raw, rng)))


def damaged(raw: bytes, rng: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 8)))
            case 1:
                del data[at : at + rng.randint(1, 40)]
            case 2:
                data[at:at] = rng.choice([b"\n\n", b"\r", b"\0", b"--XX\n", b"=?utf-8?q?", b"Content-Type: ", b"<@"])
            case 3:
                data[at:at] = data[: rng.randrange(len(data) + 1)][:500]
            case 4:
                data = bytearray(data.replace(b":", b"", 1))
            case 5:
                data[at : at + 1] = b"\xff"
    return bytes(data)


MEGABYTES = {
    "blank lines": b"\n" * 1_000_000,
    "one line": b"a" * 1_000_000,
    "colons": b"a:" * 500_000,
    "at signs": b"From: MAILER-DAEMON\n\n" + b"a@" * 500_000,
    "addresses": b"From: MAILER-DAEMON\nSubject: failure notice\n\n" + b"a@b.example " * 80_000,
    "address lines": b"From: MAILER-DAEMON\nSubject: failure notice\n\n" + b"<a@b.example>:\n" * 60_000,
    "tags": b"Content-Type: text/html\n\n" + b"<" * 1_000_000,
    "style": b"Content-Type: text/html\n\n" + b"<style>" * 140_000,
    "breaks": b"Content-Type: text/html\n\n" + b"<br " * 250_000,
    "folded": b"Subject: a\n" + b" b\n" * 330_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 70_000,
    "many fields": b"".join(b"X-%d: y\n" % n for n in range(90_000)),
    "many recipients": b"Content-Type: multipart/report; report-type=delivery-status; boundary=X\n\n--X\n"
    b"Content-Type: message/delivery-status\n\n" + b"Final-Recipient: rfc822; a@b.example\nAction: failed\n\n" * 20_000,
    "nested parts": b"".join(b"Content-Type: multipart/mixed; boundary=B%d\n\n--B%d\n" % (n, n) for n in range(1000)),
    "nested messages": b"Content-Type: message/rfc822\n\n" * 30_000,
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"QUJD" * 250_000,
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=41" * 330_000,
    "boundary lines": b"Content-Type: multipart/mixed; boundary=X\n\n" + b"--X\n" * 250_000,
    "odd charset": b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 500_000,
    "quotes": b"From: MAILER-DAEMON\nSubject: failure notice\n\n" + b'"' * 1_000_000,
    "dashes": b"From: MAILER-DAEMON\nSubject: failure notice\n\n" + b"-- original message " * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("raw", MEGABYTES.values(), ids=MEGABYTES)
def test_a_megabyte_of_anything_is_read_in_two_seconds(raw):
    start = time.process_time()
    assert is_an_answer(classify(raw))
    assert time.process_time() - start < 2


def test_the_fence_gives_the_same_answers():
    fenced = [answer["kind"] for answer in read_many(MESSAGES)]
    assert fenced == [classify(raw)["kind"] for raw in MESSAGES]


def test_the_fence_keeps_every_field():
    with Fence() as fence:
        for raw in (one("failed", "5.1.1", "550 no such user"), COMPLAINT, RECEIPT):
            assert fence.read(raw) == read(raw)


def test_a_message_that_takes_too_long_is_poison_and_the_next_goes_on():
    with Fence(seconds=0.0005) as fence:
        assert fence.read(MESSAGES[0]) is None
        fence.seconds = 5
        assert fence.read(MESSAGES[0]) == read(MESSAGES[0])


def test_a_message_that_takes_too_much_memory_is_poison():
    with Fence(memory=48 * 2**20) as fence:
        greedy = b"Content-Type: multipart/mixed; boundary=X\n\n" + b"--X\n\na" * 50_000
        first = fence.read(greedy)
        assert first is None or first.kind == "other"
        assert fence.read(b"Subject: hello\n\nhello") is not None


def test_a_child_that_was_killed_is_replaced():
    with Fence() as fence:
        fence.read(MESSAGES[0])
        os.kill(fence._child.pid, 9)
        assert fence.read(MESSAGES[0]) == read(MESSAGES[0])


def test_files_missing_empty_or_odd_are_answered_in_order(tmp_path: Path):
    report, empty, folder = tmp_path / "report.eml", tmp_path / "empty", tmp_path / "folder"
    report.write_bytes(MESSAGES[0])
    empty.touch()
    folder.mkdir()
    paths = [empty, tmp_path / "missing", report, folder, "a\0b"]
    answers = list(classify_files(paths))
    assert [a["file"] for a in answers] == [str(p) for p in paths]
    assert [a["kind"] for a in answers] == ["other", "other", "bounce", "other", "other"]
    assert all(is_an_answer(a) for a in answers)


def test_the_second_opinion_is_asked_where_nobody_is_named():
    asked = []

    def opinion(raw: bytes) -> list[str]:
        asked.append(raw)
        return ["marie@client.example"]

    nobody = b"From: MAILER-DAEMON@mx.example\nSubject: Undeliverable\n\nSomeone could not be reached.\n"
    assert [r.address for r in read(nobody, opinion).recipients] == ["marie@client.example"]
    assert read(MESSAGES[0], opinion) == read(MESSAGES[0])
    assert asked == [nobody]
