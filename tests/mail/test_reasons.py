"""The table of reasons: what servers say (code, enhanced code, words, phase) and the remedy it is filed under."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.reasons import CODES, PHASES, address_dead, classify_reply, find_code, find_enhanced
from mail.server_words import WORDS, fold
from models.words import Reason

REPLIES = [
    # (code, enhanced, words, phase, reason)
    (550, "5.1.1", "<a@b.example>: Recipient address rejected: User unknown", "rcpt", "user_unknown"),
    (550, None, "No such user here", "rcpt", "user_unknown"),
    (550, "5.1.1", "Adresse d au moins un destinataire invalide. OFR_416 [416]", "rcpt", "user_unknown"),
    (550, "5.4.1", "Recipient address rejected: Access denied. AS(201806281)", "rcpt", "user_unknown"),
    (550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; not found", "report", "user_unknown"),
    (554, None, "delivery error: dd This user doesn't have a yahoo.example account [-9]", "body", "user_unknown"),
    (550, None, "Benutzer unbekannt", "rcpt", "user_unknown"),
    (550, None, "El usuario no existe", "rcpt", "user_unknown"),
    (550, None, "L’utilisateur n’existe pas : utilisateur inconnu", "rcpt", "user_unknown"),
    (550, "5.1.1", "", "rcpt", "user_unknown"),
    (None, "5.1.2", "", "report", "domain_unknown"),
    (None, "5.4.4", "Host or domain name not found. Name service error for name=x.example", "report", "domain_unknown"),
    (556, "5.1.10", "Domain does not accept mail (nullMX)", "rcpt", "domain_unknown"),
    (501, "5.1.3", "Bad recipient address syntax", "rcpt", "address_syntax"),
    (553, None, "", "rcpt", "address_syntax"),
    (551, None, "", "rcpt", "moved"),
    (550, "5.1.6", "", "rcpt", "moved"),
    (550, "5.2.1", "", "rcpt", "mailbox_disabled"),
    (550, "5.2.1", "This mailbox has been blocked due to inactivity", "rcpt", "mailbox_disabled"),
    (550, None, "Boite du destinataire archivee. Archived recipient. LPN007_420", "rcpt", "mailbox_disabled"),
    (452, "4.2.2", "", "rcpt", "mailbox_full"),
    (552, None, "Requested mail action aborted: exceeded storage allocation", "rcpt", "mailbox_full"),
    (550, "5.2.0", "Boite du destinataire pleine. Recipient overquota. OFR_417 [417]", "rcpt", "mailbox_full"),
    (552, "5.3.4", "Message size exceeds fixed limit", "mail", "too_big"),
    (552, None, "Taille maximale dépassée", "data", "too_big"),
    (552, None, "", "body", "too_big"),
    (550, "5.7.1", "Spam message rejected", "body", "spam"),
    (550, "5.2.0", "Mail rejete. Mail rejected. OFR_506 [506]", "body", "spam"),
    (550, "5.7.26", "This mail is unauthenticated", "body", "authentication"),
    (550, "5.7.1", "SPF check failed", "mail", "authentication"),
    (554, None, "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.example", "rcpt", "blocked"),
    (554, None, "No", "connect", "blocked"),
    (554, "5.7.1", "", "rcpt", "policy"),
    (550, "5.7.1", "Message rejected under local policy", "body", "policy"),
    (552, "5.7.0", "This message was blocked: executable file", "body", "content"),
    (554, "5.6.0", "", "body", "content"),
    (450, "4.2.0", "Recipient address rejected: Greylisted", "rcpt", "greylisted"),
    (451, "4.7.1", "", "rcpt", "greylisted"),
    (450, None, "User unknown", "rcpt", "greylisted"),
    (421, None, "Trop de connexions, veuillez verifier votre configuration. OFR004_104 [104]", "connect", "throttled"),
    (421, "4.7.28", "unusual rate of unsolicited mail", "rcpt", "throttled"),
    (451, "4.3.2", "", "rcpt", "throttled"),
    (None, "4.4.1", "connect to mx.example[192.0.2.1]:25: Connection timed out", "report", "unreachable"),
    (None, "4.4.7", "", "report", "expired"),
    (530, "5.7.0", "Must issue a STARTTLS command first", "mail", "sender_rejected"),
    (535, "5.7.8", "Authentication failed", "auth", "sender_rejected"),
    (550, None, "Sender address rejected: Domain not found", "mail", "sender_rejected"),
    (554, "5.7.1", "<a@b.example>: Relay access denied", "rcpt", "sender_rejected"),
    (550, "5.1.8", "", "mail", "sender_rejected"),
    (501, "5.1.0", "Emetteur invalide. Invalid Sender. LPN007_405", "mail", "sender_rejected"),
    (None, None, "", "report", "unknown"),
    (550, None, "", "rcpt", "unknown"),
]


@pytest.mark.parametrize(("code", "enhanced", "words", "phase", "reason"), REPLIES)
def test_reply_is_filed_by_remedy(code, enhanced, words, phase, reason):
    assert classify_reply(code, enhanced, words, phase) == Reason(reason)


@pytest.mark.parametrize(("code", "enhanced", "words", "phase", "reason"), REPLIES)
def test_codes_are_found_in_the_words(code, enhanced, words, phase, reason):
    line = " ".join(str(part) for part in (code, enhanced, words) if part)
    assert classify_reply(None, None, line, phase) == Reason(reason)


def test_a_report_that_says_failed_is_final_whatever_its_digits():
    assert classify_reply(450, "4.1.1", "user unknown", "report", final=True) is Reason.USER_UNKNOWN
    assert classify_reply(450, "4.1.1", "user unknown", "report", final=False) is Reason.GREYLISTED


def test_an_address_is_no_reason():
    said = "<antivirus.spam@blacklist.example>: Recipient address rejected: User unknown"
    assert classify_reply(550, None, said, "rcpt") is Reason.USER_UNKNOWN


@pytest.mark.parametrize(
    "said",
    [
        "550 5.7.1 HELO name is invalid",
        "554 The attached file was deleted, it has been removed by the filter",
        "550 5.7.1 PTR record not present, your IP cannot be resolved",
        "550 Client host rejected: unknown host",
        "550 Rejected by the recipient's domain",
        "554 TLS certificate of the recipient server is invalid",
        "550 IP address [192.0.2.7] unknown",
        "550 Requested service is no longer available",
        "550 Sender address rejected: Domain not found",
        "550 5.4.1 messages for destination domain are deferred",
        "554 5.7.1 You are not in our whitelist",
        "550 no SPF record of this host",
        "452 too many recipients, user unknown",
    ],
)
def test_what_is_not_about_the_address_never_condemns_it(said):
    assert not address_dead(classify_reply(None, None, said, "rcpt"))


def test_only_three_reasons_condemn_an_address():
    dead = {reason for reason in Reason if address_dead(reason)}
    assert dead == {Reason.USER_UNKNOWN, Reason.DOMAIN_UNKNOWN, Reason.MOVED}
    assert address_dead(Reason.UNKNOWN) is None and address_dead(None) is None


def test_numbers_that_are_not_codes():
    assert find_enhanced("host mx[192.0.5.1.1] said 5.1.1.7") is None
    assert find_enhanced("250 2.0.0 ok, then 550 5.7.1 no") == "5.7.1"
    assert find_code("port 2550, id 550.7, then 551-moved") == 551


def test_the_table_of_words_is_folded():
    for reason, phrases in WORDS:
        for phrase in (*phrases.plain, *(part for parts in phrases.spanning for part in parts)):
            assert fold(phrase) == phrase.strip() and phrase, (reason, phrase)


@given(
    st.one_of(st.none(), st.integers(-5, 999)),
    st.one_of(st.none(), st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)),
    st.text(),
    st.sampled_from(PHASES),
)
def test_anything_has_a_reason(code, enhanced, words, phase):
    assert classify_reply(code, enhanced, words, phase) in Reason


@given(st.text(), st.sampled_from(PHASES))
def test_a_reply_that_is_not_final_condemns_no_address(words, phase):
    assert not address_dead(classify_reply(450, None, words, phase))


def test_time_is_bounded():
    start = time.process_time()
    for word in ("5.1.1 ", "a", "mailbox ", "\u0300", "user user "):
        classify_reply(550, None, word * 1_000_000, "report")
    assert time.process_time() - start < 30  # a word more or less, not its square: a million squared never ends
    assert all(reason in Reason for reason in CODES.values())
