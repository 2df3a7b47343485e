"""Reports without machine-readable parts, as many mail systems write them."""

from __future__ import annotations

import pytest

from mail.reports import read

from .letters import letter, with_original

DAEMON = "Mail Delivery System <MAILER-DAEMON@mx.example>"
MARIE = ("marie@client.example",)
FAILURES = [
    (
        "exim",
        letter(
            "Mail Delivery System <Mailer-Daemon@mx.example>",
            "Mail delivery failed: returning message to sender",
            with_original("""
                This message was created automatically by mail delivery software.

                A message that you sent could not be delivered to one or more of its
                recipients. This is a permanent error. The following address(es) failed:

                  marie@client.example
                    host mx.client.example [192.0.2.7]
                    SMTP error from remote mail server after RCPT TO:<marie@client.example>:
                    550 5.1.1 <marie@client.example>: Recipient address rejected: User unknown

                ------ This is a copy of the message, including all the headers. ------
                """),
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "exim with a forwarded address",
        letter(
            DAEMON, "Mail delivery failed: returning message to sender",
            with_original("""
                This message was created automatically by mail delivery software.
                A message that you sent could not be delivered to one or more of its recipients.
                The following address(es) failed:

                  m.petit@other.example
                    (generated from marie@client.example)
                    retry timeout exceeded

                ------ This is a copy of the message, including all the headers. ------
                """),
        ),
        ("m.petit@other.example",), "expired", False,
    ),
    (
        "qmail",
        letter(
            "MAILER-DAEMON@mx.example", "failure notice",
            with_original("""
                Hi. This is the qmail-send program at mx.example.
                I'm afraid I wasn't able to deliver your message to the following addresses.
                This is a permanent error; I've given up. Sorry it didn't work out.

                <marie@client.example>:
                192.0.2.7 does not like recipient.
                Remote host said: 550 5.2.2 Mailbox full
                Giving up on 192.0.2.7.

                <paul@client.example>:
                Sorry, no mailbox here by that name. (#5.1.1)

                --- Below this line is a copy of the message.
                """),
        ),
        ("marie@client.example", "paul@client.example"), "mailbox_full", False,
    ),
    (
        "postfix without parts",
        letter(
            DAEMON, "Undelivered Mail Returned to Sender",
            """
            This is the mail system at host mx.example.

            I'm sorry to have to inform you that your message could not
            be delivered to one or more recipients.

            <marie@client.example> (expanded from <equipe@client.example>): host
                mx.client.example[192.0.2.7] said: 554 5.7.1 Spam message rejected (in
                reply to end of DATA command)
            """,
        ),
        MARIE, "spam", False,
    ),
    (
        "sendmail 8 transcript",
        letter(
            "Mail Delivery Subsystem <MAILER-DAEMON@mx.example>", "Returned mail: see transcript for details",
            with_original("""
                The original message was received at Sun, 22 Nov 2026 10:32:04 +0100
                from localhost [127.0.0.1]

                   ----- The following addresses had permanent fatal errors -----
                <marie@client.example>
                    (reason: 550 5.1.1 <marie@client.example>... User unknown)
                    (expanded from: <equipe@client.example>)

                   ----- Transcript of session follows -----
                ... while talking to mx.client.example.:
                >>> RCPT To:<marie@client.example>
                <<< 550 5.1.1 <marie@client.example>... User unknown
                550 5.1.1 <equipe@client.example>... User unknown

                   ----- Original message follows -----
                """),
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "sendmail 5",
        letter(
            "MAILER-DAEMON@mx.example", "Returned mail: User unknown",
            with_original("""
                   ----- Transcript of session follows -----
                While talking to mx.client.example:
                >>> RCPT To:<marie@client.example>
                <<< 550 <marie@client.example>... User unknown
                550 <marie@client.example>... User unknown

                   ----- Unsent message follows -----
                """),
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "exchange 5.5",
        letter(
            "System Administrator <postmaster@client.example>", "Undeliverable: Convocation",
            """
            Your message

              To:      marie@client.example
              Subject: Convocation
              Sent:    Sun, 22 Nov 2026 10:32:04 +0100

            did not reach the following recipient(s):

            marie@client.example on Sun, 22 Nov 2026 10:32:06 +0100
                The recipient name is not recognized
                The MTS-ID of the original message is: c=fr;a= ;p=client;l=EX
                MSEXCH:IMS:CLIENT:PARIS:EX 0 (000C05A6) Unknown Recipient
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "exchange 2007 in French",
        letter(
            "Microsoft Exchange <postmaster@client.example>", "Non remis : Convocation",
            """
            Échec de la remise pour ces destinataires ou listes de distribution :

            marie@client.example
            La boîte aux lettres du destinataire est pleine. Microsoft Exchange n'essaiera pas de remettre ce message.

            Informations de diagnostic pour les administrateurs :

            Serveur de génération : ex.client.example

            marie@client.example
            #550 5.2.2 STOREDRV.Deliver: mailbox full ##

            En-têtes de message d'origine :

            Message-ID: <e-1@cassiopee.example>
            From: bonjour@cassiopee.example
            Subject: Convocation
            """,
        ),
        MARIE, "mailbox_full", False,
    ),
    (
        "gmail in prose",
        letter(
            "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)",
            with_original("""
                Delivery to the following recipient failed permanently:

                     marie@client.example

                Technical details of permanent failure:
                Google tried to deliver your message, but it was rejected by the recipient domain. We recommend
                contacting the other email provider at postmaster@client.example for further information about the
                cause of this error. The error that the other server returned was:
                550 550 5.7.1 Message rejected as spam (state 18).

                ----- Original message -----
                """),
            X_Failed_Recipients="marie@client.example",
        ),
        MARIE, "spam", False,
    ),
    (
        "yahoo",
        letter(
            "MAILER-DAEMON@yahoo.example", "Delivery failure",
            with_original("""
                Sorry, we were unable to deliver your message to the following address.

                <marie@client.example>:
                Remote host said: 552 5.2.2 over quota [RCPT_TO]

                --- Below this line is a copy of the message.
                """),
        ),
        MARIE, "mailbox_full", False,
    ),
    (
        "james",
        letter(
            "postmaster@mx.example", "[BOUNCE]",
            """
            Hi. This is the James mail server at mx.example.
            I'm afraid I wasn't able to deliver your message to the following addresses.
            This is a permanent error; I've given up. Sorry it didn't work out. Below
            I include the list of recipients and the reason why I was unable to deliver
            your message.

            Failed recipient(s):
            marie@client.example

            Error message:
            550 5.1.1 unknown user

            Message details:
              Subject: Convocation
              MAIL FROM: bonjour@cassiopee.example
              RCPT TO: marie@client.example
              From: bonjour@cassiopee.example
              To: marie@client.example
              Size (in bytes): 1024
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "domino",
        letter(
            "postmaster@client.example", "DELIVERY FAILURE: User marie not listed in Domino Directory",
            """
            Your message

              Subject: Convocation

            was not delivered to:

              marie@client.example

            because:

              User marie (marie@client.example) not listed in Domino Directory
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "groupwise",
        letter(
            "Mailer-Daemon@client.example", "Message status - undeliverable",
            with_original("""
                The message that you sent was undeliverable to the following:
                \tmarie@client.example

                Possibly truncated original message follows:

                """),
        ),
        MARIE, "unknown", None,
    ),
    (
        "imail",
        letter(
            "Postmaster <postmaster@client.example>", "Undeliverable Mail",
            with_original("""
                User mailbox exceeds allowed size: marie@client.example

                Original message follows.
                """),
        ),
        MARIE, "mailbox_full", False,
    ),
    (
        "mailmarshal",
        letter(
            "MailMarshal <postmaster@client.example>", 'Undeliverable Mail: "Convocation"',
            """
            Your message:
               From:    bonjour@cassiopee.example
               Subject: Convocation

            Could not be delivered because of

            550 5.1.1 User unknown

            The following recipients were affected:
                marie@client.example

            Additional Information
            ======================
            Original Sender:    <bonjour@cassiopee.example>
            Sender-MTA:         <192.0.2.3>
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "mailfoundry",
        letter(
            "<MAILER-DAEMON@mx.example>", "Message delivery has failed",
            """
            Unable to deliver message to: <marie@client.example>
            Delivery failed for the following reason:
            Server mx.client.example[192.0.2.7] failed with: 550 <marie@client.example> No such user here

            This has been a permanent failure.  No further delivery attempts will be made.
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "interscan",
        letter(
            '"InterScan MSS" <imss@client.example>', "Mail could not be delivered",
            """
            ****** Message from InterScan Messaging Security Suite ******

            Sent <<< RCPT TO:<marie@client.example>
            Received >>> 550 5.1.1 <marie@client.example>... user unknown
            Unable to deliver message to <marie@client.example>

            ************************     End of message     **********************
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "surfcontrol",
        letter(
            "Mail Administrator <postmaster@mx.example>", "Your message could not be sent",
            """
            Your message could not be sent.
            A transcript of the attempts to send the message follows.
            The number of attempts made: 1
            Addressed To: marie@client.example

            Sun 22 Nov 2026 10:32:04 +0100
            Failed to send to identified host,
            marie@client.example: [192.0.2.7], 550 marie@client.example... No such user

            --- Message non-deliverable.
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "activehunter",
        letter(
            "MAILER-DAEMON@client.example", "FAILURE NOTICE :",
            """
              ----- The following addresses had permanent fatal errors -----

            >>> marie@client.example <marie@client.example>

              ----- original message -----
            """,
            X_AHMAILID="1",
        ),
        MARIE, "unknown", None,
    ),
    (
        "opensmtpd",
        letter(
            "Mailer Daemon <MAILER-DAEMON@mx.example>", "Delivery status notification: error",
            with_original("""
                    Hi!

                    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.

                    An error has occurred while attempting to deliver a message for
                    the following list of recipients:

                marie@client.example: 550 5.2.2 <marie@client.example>... Mailbox Full

                    Below is a copy of the original message:
                """),
        ),
        MARIE, "mailbox_full", False,
    ),
    (
        "dragonfly",
        letter(
            "MAILER-DAEMON <>", "Mail delivery failed",
            with_original("""
                This is the DragonFly Mail Agent v0.13 at mx.example.

                There was an error delivering your mail to <marie@client.example>.

                mx.client.example [192.0.2.7] did not like our RCPT TO:
                550 5.1.1 <marie@client.example>... User Unknown

                Message headers follow.
                """),
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "einsundeins",
        letter(
            "Mail Delivery System <mailer-daemon@mx.example>", "Mail delivery failed: returning message to sender",
            with_original("""
                This message was created automatically by mail delivery software.

                A message that you sent could not be delivered to one or more of
                its recipients. This is a permanent error. The following address
                failed:

                "marie@client.example":
                SMTP error from remote server after RCPT command:
                host: mx.client.example
                5.1.1 <marie@client.example>... User Unknown

                --- The header of the original message is following. ---
                """),
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "communigate",
        letter(
            "<MAILER-DAEMON@client.example>", "Undeliverable mail: Convocation",
            """
            Failed to deliver to '<marie@client.example>'
            SMTP module(domain client.example) reports:
             host mx.client.example says:
             550 5.1.1 unknown account
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "mdaemon",
        letter(
            "MDaemon at client.example <MDaemon@client.example>", "Permanent Delivery Failure",
            """
            -------------------------------------------------------------------
            A message could not be delivered

            Failed address: marie@client.example

            --- Session Transcript ---
             Sun 2026-11-22 10:32:04: --> RCPT To:<marie@client.example>
             Sun 2026-11-22 10:32:04: <-- 550 Account full (over quota)
            --- End Transcript ---
            """,
        ),
        MARIE, "mailbox_full", False,
    ),
    (
        "barracuda",
        letter(
            "postmaster@client.example", "**Message you sent blocked by our bulk email filter**",
            """
            Your message to: marie@client.example
            was blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:

            Subject: Convocation
            """,
        ),
        MARIE, "spam", False,
    ),
    (
        "aol",
        letter(
            "Mail Delivery Subsystem <MAILER-DAEMON@client.example>", "Mail Delivery Problem",
            """
            Your mail to the following recipients could not be delivered because they are not accepting mail with
            attachments or embedded images:
            \tmarie
            """,
        ),
        MARIE, "content", False,
    ),
    (
        "compound without daemon",
        letter(
            "ndr@filter.example", "Non-Delivery: Convocation",
            """
            --- Non-Delivery Report ---
            The email below could not be delivered to the following user:

            "marie@client.example" <marie@client.example>

            Old message:
            """,
        ),
        MARIE, "unknown", None,
    ),
    (
        "smail",
        letter(
            "<postmaster@client.example>", "mail failed, returning to sender",
            with_original("""
                |------------------------- Message log follows: -------------------------|
                 no valid recipients were found for this message
                |------------------------- Failed addresses follow: ---------------------|
                 <marie@client.example> ... unknown user
                |------------------------- Message text follows: ------------------------|
                """),
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "listserv lsmtp",
        letter(
            '"LSMTP for Windows NT v1.1b" <postmaster@client.example>', "Undelivered mail",
            """
            An error was detected while processing the enclosed message.  A list of
            the affected recipient follows.

            --> Error description:
            Error-for:  marie@client.example
            Error-Code: 0
            Error-Text: "550 5.7.1 relaying denied"

            Error-End:  One error reported.
            """,
        ),
        MARIE, "sender_rejected", False,
    ),
    (
        "french operator",
        letter(
            "Service de messagerie <postmaster@operateur.example>", "Échec de remise de votre message",
            """
            Bonjour,

            Votre message n'a pas pu être remis au destinataire suivant :

              marie@client.example

            Raison : boîte aux lettres pleine.
            """,
        ),
        MARIE, "mailbox_full", False,
    ),
    (
        "german operator",
        letter(
            "Mail Delivery System <mailer-daemon@betreiber.example>", "Nachricht unzustellbar",
            """
            Ihre Nachricht konnte nicht zugestellt werden.

            marie@client.example:
                Benutzer unbekannt
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "spanish operator",
        letter(
            "postmaster@operador.example", "No se puede entregar: Convocation",
            """
            No se pudo entregar su mensaje a los siguientes destinatarios:

            <marie@client.example>: la cuenta no existe
            """,
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "japanese mobile",
        letter(
            "no-reply@mobile.example", "メールエラー通知",
            with_original("""
                送信先のメールボックスが一杯のため、送信できませんでした。

                Your mail sent on: Sun, 22 Nov 2026 10:32:04 +0900
                     Could not be delivered to: <marie@client.example>
                     As their mailbox is full.
                """),
            Return_Path="<>",
        ),
        MARIE, "mailbox_full", False,
    ),
    (
        "html only",
        letter(
            DAEMON, "Undeliverable: Convocation",
            "<html><head><style>p{x:y}</style></head><body><p>Your message wasn't delivered to "
            '<a href="mailto:marie@client.example">marie@client.example</a> because the address couldn\'t be found.'
            "</p></body></html>",
            Content_Type="text/html; charset=utf-8",
        ),
        MARIE, "user_unknown", True,
    ),
    (
        "postfix server transcript",
        letter(
            "MAILER-DAEMON@mx.example (Mail Delivery System)", "Postfix SMTP server: errors from localhost[127.0.0.1]",
            """
            Transcript of session follows.

             Out: 220 mx.example ESMTP
             In:  MAIL FROM:<bonjour@cassiopee.example> SIZE=2008
             Out: 250 2.1.0 Ok
             In:  RCPT TO:<marie@client.example> ORCPT=rfc822;marie@client.example
             Out: 250 2.1.5 Ok
             In:  DATA
             Out: 354 End data with <CR><LF>.<CR><LF>
             Out: 451 4.3.0 Error: queue file write error

            For other details, see the local mail logfile
            """,
        ),
        MARIE, None, False,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "who", "reason", "dead"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
def test_failure_in_prose(raw, who, reason, dead):
    got = read(raw)
    assert got.kind == "bounce"
    assert tuple(r.address for r in got.recipients) == who
    assert {r.action for r in got.recipients} == {"failed"}
    if reason:
        assert got.recipients[0].reason == reason
    assert got.recipients[0].address_dead is dead


@pytest.mark.parametrize("raw", [f[1] for f in FAILURES if b"Message-ID: <e-1@" in f[1]])
def test_the_returned_message_is_known(raw):
    assert read(raw).message_id == "<e-1@cassiopee.example>"


@pytest.mark.parametrize("raw", [f[1] for f in FAILURES], ids=[f[0] for f in FAILURES])
def test_newlines_do_not_matter(raw):
    assert read(raw.replace(b"\n", b"\r\n")) == read(raw) == read(raw.replace(b"\n", b"\r"))


DELAYS = [
    letter(
        DAEMON, "Warning: message 1abc delayed 24 hours",
        """
        This message was created automatically by mail delivery software.
        A message that you sent has not yet been delivered to one or more of its
        recipients after more than 24 hours on the queue on mx.example.

        The address to which the message has not yet been delivered is:

          marie@client.example
            Delay reason: connection timed out

        No action is required on your part. Delivery attempts will continue for
        some time, and this warning may be repeated at intervals if the message
        remains undelivered.
        """,
    ),
    letter(
        "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Delay)",
        """
        This is an automatically generated Delivery Status Notification

        THIS IS A WARNING MESSAGE ONLY.

        YOU DO NOT NEED TO RESEND YOUR MESSAGE.

        Delivery to the following recipient has been delayed:

             marie@client.example

        Message will be retried for 2 more day(s)
        """,
    ),
    letter(
        "Mailer Daemon <MAILER-DAEMON@mx.example>", "Delivery status notification: warning",
        """
        A message is delayed for more than 4 hours for the following
        list of recipients:

        marie@client.example: 421 try later
        """,
    ),
    letter(
        "postmaster@operateur.example", "Remise retardée : Convocation",
        """
        La remise de votre message à marie@client.example a été retardée.
        De nouvelles tentatives auront lieu ; votre message n'a pas encore pu être remis.
        """,
    ),
]  # fmt: skip


@pytest.mark.parametrize("raw", DELAYS)
def test_a_delay_is_never_taken_as_a_failure(raw):
    got = read(raw)
    assert got.kind == "delayed"
    (marie,) = got.recipients
    assert (marie.address, marie.action, marie.address_dead) == ("marie@client.example", "delayed", False)


def test_a_delay_that_ended_is_a_failure():
    got = read(
        letter(
            DAEMON, "failed delivery",
            """
            Unable to deliver message to the following address(es).

            <marie@client.example>:
            unable to connect to remote server [192.0.2.7:25]: Operation timed out
            I'm not going to try again; this message has been in the queue too long.
            """,
        )
    )  # fmt: skip
    assert (got.kind, got.recipients[0].action) == ("bounce", "failed")


def test_who_is_not_named_is_not_guessed():
    got = read(
        letter(
            DAEMON, "Mail delivery failed: returning message to sender",
            with_original("""
                A message that you sent could not be delivered to one or more of its recipients.
                One or more of the recipients are not a valid user of the system.

                ------ This is a copy of the message, including all the headers. ------
                """),
        )
    )  # fmt: skip
    assert (got.kind, got.recipients) == ("bounce", ())
    assert got.message_id == "<e-1@cassiopee.example>"


def test_a_wrapped_report_is_opened():
    inner = letter(DAEMON, "Returned mail: User unknown", "<marie@client.example>: 550 5.1.1 User unknown\n")
    raw = (
        letter(
            DAEMON, "Returned mail: User unknown", "",
            MIME_Version="1.0", Content_Type='multipart/mixed; boundary="XX"',
        )
        + b"\n--XX\nContent-Type: text/plain\n\nThe following addresses had permanent errors\n"
        + b"\n--XX\nContent-Type: message/rfc822\n\n" + inner + b"\n--XX--\n"
    )  # fmt: skip
    assert [r.address for r in read(raw).recipients] == ["marie@client.example"]
