"""Run by an interpreter that has Django and django-post_office (see bench.sending): their queue, their sender.

    PYTHON bench/post_office_sending.py PLACE PORT COUNT      PLACE in JSON; the letter (text, html, file) on stdin

Prints a line of JSON: messages a second of send_queued in one process, all asked for beforehand.
"""

from __future__ import annotations

import base64
import json
import sys
import time

from post_office_admin import migrate, set_up


def main() -> None:
    place, port, count = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    letter = json.load(sys.stdin)
    set_up(place)
    migrate()
    from django.conf import settings
    from django.core.files.base import ContentFile
    from post_office import mail
    from post_office.models import Email

    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.POST_OFFICE = {"BATCH_SIZE": count, "THREADS_PER_PROCESS": 1, "MESSAGE_ID_ENABLED": True}
    settings.MEDIA_ROOT = letter["folder"]
    Email.objects.all().delete()
    file = base64.b64decode(letter["file"])
    for n in range(count):
        mail.send(
            sender="formation@cassiopee.example", recipients=[f"lea{n}@client{n % 40}.example"],
            subject=f"Convocation {n}", message=letter["text"], html_message=letter["html"], priority="medium",
            attachments={"Programme.pdf": ContentFile(file)} if file else None,
        )  # fmt: skip
    began, used = time.perf_counter(), time.process_time()
    mail.send_queued(processes=1, log_level=0)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    sent = Email.objects.filter(status=0).count()
    print(json.dumps({"rate": sent / seconds, "cpu": used / count, "sent": sent}))


if __name__ == "__main__":
    main()
