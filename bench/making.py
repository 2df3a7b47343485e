"""Making the bytes of messages: ours (mail.mime.freeze), Flask-Mail's as_bytes and the standard library, interleaved.

    python -m bench.making [--rounds 5]

Prints for 11 KB and 292 KB messages the median rate per second of CPU and the ratio to Flask-Mail (target: 5 or
more). Each message has its own recipient, subject and ids; the attachment is shared by the mailing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from types import SimpleNamespace

import flask_mail
from flask import Flask

from mail import mime
from mail.compose import Draft, File

SENDER = SimpleNamespace(name="Atelier Cassiopée", address="formation@example.org", reply_to="contact@example.org")
HTML = "<html><body>" + "<p>Bonjour, voici la convocation à la session d'été, à bientôt.</p>\n" * 100 + "</body></html>"
TEXT = "Bonjour, voici la convocation à la session d'été, à bientôt.\n" * 36
WHEN = datetime.now(UTC)
Make = Callable[[int], bytes]


def makers(size: int) -> dict[str, tuple[Make, int]]:
    """name → (make message number n, how many a round) with an attachment of `size` bytes (0: none)."""
    data = os.urandom(size)
    files = (File("Programme été.pdf", hashlib.sha256(data).hexdigest(), size, "application/pdf"),) if size else ()

    def draft(number: int) -> Draft:
        return Draft(f"lea{number}@example.org", f"Léa Martin {number}", None, None, "free",
                     f"Convocation n° {number} à la session", HTML, TEXT, files)  # fmt: skip

    def ours(number: int) -> bytes:
        pixel = f"https://example.org/t/o/{number}.gif"
        frozen = mime.freeze(draft(number), SENDER, message_id=f"{number}@example.org", pixel_url=pixel, date=WHEN,
                             read_blob=lambda _: data)  # fmt: skip
        return frozen.skeleton

    def standard(number: int) -> bytes:
        return mime.build(draft(number), SENDER, message_id=f"{number}@example.org", pixel_url=None, date=WHEN,
                          read_blob=lambda _: data).as_bytes()  # fmt: skip

    def theirs(number: int) -> bytes:
        message = flask_mail.Message(
            f"Convocation n° {number} à la session", [(f"Léa Martin {number}", f"lea{number}@example.org")],
            body=TEXT, html=HTML, sender=(SENDER.name, SENDER.address), reply_to=SENDER.reply_to,
            extra_headers={"Auto-Submitted": "auto-generated"},
        )  # fmt: skip
        if size:
            message.attach("Programme été.pdf", "application/pdf", data)
        return message.as_bytes()

    return {"ours": (ours, 400), "flask_mail": (theirs, 40), "standard_library": (standard, 15)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    app = Flask("making", root_path=os.getcwd())
    flask_mail.Mail(app)
    with app.app_context():
        for label, size in (("11 KB", 0), ("292 KB", 205_000)):
            rates: dict[str, list[float]] = {}
            for _ in range(rounds):
                for name, (make, times) in makers(size).items():
                    started = time.process_time()
                    for number in range(times):
                        make(number)
                    rates.setdefault(name, []).append(times / (time.process_time() - started))
            middle = {name: round(median(found)) for name, found in rates.items()}
            ratio = round(median(rates["ours"]) / median(rates["flask_mail"]), 1)
            print(json.dumps({"message": label, "per_cpu_second": middle, "ratio_to_flask_mail": ratio}))


if __name__ == "__main__":
    main()
