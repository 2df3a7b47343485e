"""Automatic answers, challenges, read receipts, complaints; and normal mail, which is none of these."""

from __future__ import annotations

import pytest

from mail.reports import classify, read

from .letters import letter

MARIE = "Marie Petit <marie@client.example>"
ANSWERS = [
    letter(MARIE, "Réponse automatique : Convocation", "Bonjour,\nJe suis absente jusqu'au 4 décembre.\n",
           In_Reply_To="<e-1@cassiopee.example>", Auto_Submitted="auto-replied"),
    letter(MARIE, "Absence : Convocation", "Je suis en congés, de retour le 4 décembre.\n", Precedence="bulk",
           In_Reply_To="<e-1@cassiopee.example>"),
    letter(MARIE, "Automatic reply: Convocation", "I am out of the office until Monday.\n",
           X_Auto_Response_Suppress="All", In_Reply_To="<e-1@cassiopee.example>"),
    letter(MARIE, "Automatische Antwort: Convocation", "Ich bin derzeit nicht im Büro.\n",
           Auto_Submitted="auto-generated", In_Reply_To="<e-1@cassiopee.example>"),
    letter(MARIE, "Respuesta automática: Convocation", "Estoy de vacaciones hasta el lunes.\n", Return_Path="<>",
           References="<x@cassiopee.example> <e-1@cassiopee.example>"),
    letter(MARIE, "Re: Convocation", "On holiday.\n", X_Autoreply="yes", In_Reply_To="<e-1@cassiopee.example>"),
    letter(MARIE, "Re: Convocation", "I will be back in the office on Monday.\n", Precedence="auto_reply",
           In_Reply_To="<e-1@cassiopee.example>"),
    letter(MARIE, "Out of Office", "The message you sent could not be read: I am away from my desk.\n",
           Return_Path="<>", In_Reply_To="<e-1@cassiopee.example>"),
    letter("Garde <garde@filtre.example>", "Re: Convocation (Action requise)",
           "Your message was waitlisted. Please add yourself to my Guest List so your messages will be delivered.\n",
           In_Reply_To="<e-1@cassiopee.example>"),
]  # fmt: skip


@pytest.mark.parametrize("raw", ANSWERS)
def test_an_automatic_answer(raw):
    got = read(raw)
    assert got.kind == "auto-reply"
    assert got.message_id == "<e-1@cassiopee.example>"
    assert [(r.action, r.reason, r.address_dead) for r in got.recipients] == [(None, None, None)]


def test_a_challenge_dressed_as_a_report():
    raw = letter(
        "Garde <garde@filtre.example>", "Delivery status", "",
        MIME_Version="1.0", Content_Type='multipart/report; report-type=delivery-status; boundary="XX"',
    ) + (
        b"\n--XX\nContent-Type: text/plain\n\nYour message was waitlisted by Boxbe.\n"
        b"\n--XX\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; filtre.example\n\n"
        b"Final-Recipient: rfc822; marie@client.example\nAction: failed\nStatus: 4.7.0\n\n--XX--\n"
    )  # fmt: skip
    assert read(raw).kind == "auto-reply"


RECEIPT = letter(
    MARIE, "Lu : Convocation", "",
    MIME_Version="1.0", Content_Type='multipart/report; report-type=disposition-notification; boundary="XX"',
) + (
    b"\n--XX\nContent-Type: text/plain\n\nVotre message a bien \xc3\xa9t\xc3\xa9 lu.\n"
    b"\n--XX\nContent-Type: message/disposition-notification\n\nReporting-UA: poste; Courrier 1.0\n"
    b"Original-Recipient: rfc822;marie@client.example\nFinal-Recipient: rfc822;m.petit@client.example\n"
    b"Original-Message-ID: <e-1@cassiopee.example>\n"
    b"Disposition: manual-action/MDN-sent-manually; displayed\n\n--XX--\n"
)  # fmt: skip


def test_a_read_receipt():
    got = read(RECEIPT)
    assert (got.kind, got.message_id) == ("read-receipt", "<e-1@cassiopee.example>")
    assert [r.address for r in got.recipients] == ["marie@client.example"]


COMPLAINT = letter(
    "Feedback <fbl@operateur.example>", "FW: Convocation", "",
    MIME_Version="1.0", Content_Type='multipart/report; report-type=feedback-report; boundary="XX"',
) + (
    b"\n--XX\nContent-Type: text/plain\n\nThis is an email abuse report.\n"
    b"\n--XX\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: FBL/1.0\nVersion: 1\n"
    b"Original-Rcpt-To: <marie@client.example>\nOriginal-Envelope-Id: E-9f3k\n"
    b"Arrival-Date: Sun, 22 Nov 2026 10:32:04 +0100\n"
    b"\n--XX\nContent-Type: message/rfc822\n\nMessage-ID: <e-1@cassiopee.example>\nTo: marie@client.example\n"
    b"Subject: Convocation\n\nBonjour\n\n--XX--\n"
)  # fmt: skip


def test_a_complaint():
    got = read(COMPLAINT)
    assert (got.kind, got.complaint, got.envid) == ("feedback", "abuse", "E-9f3k")
    assert got.message_id == "<e-1@cassiopee.example>"
    assert [r.address for r in got.recipients] == ["marie@client.example"]


def test_a_complaint_that_hides_its_address_is_still_one():
    raw = COMPLAINT.replace(b"Original-Rcpt-To: <marie@client.example>\n", b"").replace(b"To: marie@", b"To: nobody")
    assert read(raw).kind == "feedback"


def test_a_feedback_loop_without_a_type():
    raw = letter(
        "staff@hotmail.com", "complaint about message from 192.0.2.7", "",
        MIME_Version="1.0", Content_Type='multipart/mixed; boundary="XX"',
    ) + (
        b"\n--XX\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: marie@client.example\n"
        b"Message-ID: <e-1@cassiopee.example>\nSubject: Convocation\n\nBonjour\n\n--XX--\n"
    )  # fmt: skip
    got = read(raw)
    assert got.kind == "feedback"
    assert [r.address for r in got.recipients] == ["marie@client.example"]


NORMAL = {
    "a question": letter(MARIE, "Re: Convocation", "Bonjour, où se trouve la salle ?\n",
                         In_Reply_To="<e-1@cassiopee.example>"),
    "a learner who will be absent": letter(MARIE, "Absence", "Bonjour, je serai absente jeudi, désolée.\n"),
    "an answer about an absence": letter(MARIE, "Re: Absence de jeudi", "Je serai absente, je suis en congés.\n",
                                         In_Reply_To="<e-1@cassiopee.example>"),
    "an answer to an automatic answer": letter(MARIE, "Re: Réponse automatique : Convocation", "Merci !\n",
                                               In_Reply_To="<e-1@cassiopee.example>"),
    "a postmaster's notice": letter("Postmaster <postmaster@cassiopee.example>", "Warning: maintenance on Sunday",
                                    "The server will be updated. Ask us at any time.\n"),
    "a postmaster's answer": letter("Postmaster <postmaster@client.example>", "Re: Ihre Frage",
                                    "Bonjour, nous avons corrigé la configuration.\n"),
    "a summary of DMARC": letter("noreply@dmarc.example", "Report domain: cassiopee.example Submitter: dmarc.example",
                                 "This is an aggregate report.\n"),
    "a bill": letter("Comptabilité <compta@client.example>", "Échec du prélèvement",
                     "Votre paiement a été rejeté par la banque. Il n'a pas pu être encaissé.\n"),
    "a talk about bounces": letter(
        MARIE, "Undelivered mail: how do you handle bounces?",
        "Hi, our mail to paul@client.example was returned: 550 5.1.1 User unknown. It could not be delivered.\n"
        "Do you know why?\n"),
    "an answer to a report": letter(
        MARIE, "Re: Undelivered Mail Returned to Sender",
        "Voyez ci-dessous, votre message est revenu.\n\n> <marie@client.example>: host mx said: 550 User unknown\n",
        In_Reply_To="<report-1@mx.example>"),
    "a newsletter": letter(
        "Lettre <lettre@editeur.example>", "Failed delivery? Ten tips", "Your message could not be delivered? Read.\n",
        List_Unsubscribe="<https://editeur.example/u>", Precedence="bulk"),
    "a newsletter in August": letter(
        "Lettre <lettre@editeur.example>", "Vacation deals", "Out of the office? Book now.\n",
        List_Unsubscribe="<https://editeur.example/u>", Precedence="bulk"),
    "a list of addresses": letter(MARIE, "Liste", "marie@client.example\npaul@client.example\n"),
    "nothing": b"",
    "one line": b"hello",
    "a header only": b"Subject: Undeliverable\n",
}  # fmt: skip
NORMAL["a forwarded report"] = (
    letter(MARIE, "Fwd: Undelivered Mail Returned to Sender", "", MIME_Version="1.0",
           Content_Type='multipart/mixed; boundary="YY"')
    + b"\n--YY\nContent-Type: text/plain\n\nVoici ce que j'ai re\xc3\xa7u.\n"
    + b"\n--YY\nContent-Type: message/rfc822\n\n"
    + letter("MAILER-DAEMON@mx.example", "Undelivered Mail Returned to Sender", "",
             MIME_Version="1.0", Content_Type='multipart/report; report-type=delivery-status; boundary="ZZ"')
    + b"\n--ZZ\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
    b"Final-Recipient: rfc822; paul@client.example\nAction: failed\nStatus: 5.1.1\n\n--ZZ--\n\n--YY--\n"
)  # fmt: skip


@pytest.mark.parametrize("raw", NORMAL.values(), ids=NORMAL)
def test_normal_mail_is_no_report(raw):
    got = read(raw)
    assert (got.kind, got.recipients) == ("other", ())


def test_the_shape_that_classify_prints():
    assert classify(COMPLAINT) == {
        "file": "",
        "kind": "feedback",
        "recipients": [
            {"address": "marie@client.example", "action": None, "status": None, "reason": None, "address_dead": None}
        ],
        "message_id": "<e-1@cassiopee.example>",
        "envid": "E-9f3k",
    }
