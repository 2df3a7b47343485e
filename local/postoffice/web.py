"""The page of the practice post office: what it took, as a list and one by one, on loopback only.

E-mails are hostile text here as anywhere: escaped by Jinja, their HTML only inside a sandboxed frame with a
policy of its own, their files only as downloads. Reading here fetches no pixel, unless its button is pressed.
"""

from __future__ import annotations

import base64
import logging
import mailbox
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import default
from io import BytesIO
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, render_template, request, send_file, url_for
from werkzeug.serving import make_server
from werkzeug.wrappers import Response as AnyResponse

from local.postoffice import names, receiver
from local.postoffice.behaviours import PLAIN, TABLE
from local.postoffice.smtp import PostOffice
from local.postoffice.zones import Zones

PAGE_SIZE = 50
_TEXT_LIMIT = 200_000
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_BODY_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
_ENGLISH = {
    "Poste d'essai": "Practice post office",
    "Rien ne quitte cette machine : chaque e-mail envoyé par Sillage arrive ici.": (
        "Nothing leaves this machine: every e-mail Sillage sends lands here."
    ),
    "Aucun e-mail pour l'instant.": "No e-mail yet.",
    "Aucun e-mail ne correspond.": "No e-mail matches.",
    "Rechercher": "Search",
    "Date": "Date",
    "À": "To",
    "De": "From",
    "Objet": "Subject",
    "(sans objet)": "(no subject)",
    "Plus anciens": "Older",
    "Plus récents": "Newer",
    "Tous les e-mails": "All e-mails",
    "Pièces jointes": "Attachments",
    "Texte": "Text",
    "Tous les en-têtes": "All headers",
    "Source": "Source",
    "Ouvrir comme le destinataire": "Open as the recipient",
    "Pixels chargés :": "Pixels loaded:",
    "Sillage n'a pas répondu.": "Sillage did not answer.",
    "Comment se comporte chaque destinataire": "How each recipient behaves",
    "Mot dans l'adresse": "Word in the address",
    "Ce qui se passe": "What happens",
    "tous les autres": "all others",
    "Pour que cela arrive": "For it to arrive",
    "C'est fait": "Done",
    "C'est fait ; défaire": "Done; undo",
} | receiver.ENGLISH
_ENGLISH |= names.ENGLISH


@dataclass(frozen=True)
class Listed:
    """One line of the list."""

    key: str
    at: datetime
    to: str
    sender: str
    subject: str


class Page:
    """The web server, in a thread of its own; port 0 takes any free one. `read` opens a message as its recipient."""

    def __init__(
        self, maildir: Path, read: Callable[[bytes], int], port: int = 0, secret_key: str = "",
        office: PostOffice | None = None, zones: Zones | None = None, names_port: int | None = None,
    ) -> None:  # fmt: skip
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for each request
        application = create_page(maildir, read, secret_key, office, zones, names_port)
        self._server = make_server("127.0.0.1", port, application, threaded=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="mail-page", daemon=True)

    def __enter__(self) -> Page:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def create_page(
    maildir: Path, read: Callable[[bytes], int], secret_key: str = "", office: PostOffice | None = None,
    zones: Zones | None = None, names_port: int | None = None,
) -> Flask:  # fmt: skip
    """The WSGI application over the Maildir `maildir`, with the receiver of the demo's webhook; with an `office`, what
    makes it refuse can be put right here; with `zones`, what the name server at `names_port` says."""
    app = Flask(__name__)
    app.jinja_env.globals["has_names"] = zones is not None
    if zones is not None:
        names.register(app, zones, names_port)
    receiver.register(app, receiver.practice_secret(secret_key))

    @app.before_request
    def only_from_here() -> None:
        """Refuse another site's name for this address (DNS rebinding) and another site's forms."""
        if urlsplit(f"//{request.host}").hostname not in ("127.0.0.1", "localhost", "::1"):
            abort(421)
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.host:
            abort(403)

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"  # "no-referrer" makes a form say it comes from nowhere
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.context_processor
    def words() -> dict[str, object]:
        language = request.accept_languages.best_match(["fr", "en"], "fr")
        return {"_": _ENGLISH.__getitem__ if language == "en" else _french, "language": language}

    @app.get("/")
    def mails() -> str:
        search = request.args.get("q", "").strip()[:200]
        number = max(request.args.get("page", 1, type=int), 1)
        first = (number - 1) * PAGE_SIZE
        found = list(islice(_listed(maildir, search), first, first + PAGE_SIZE + 1))
        return render_template(
            "mails.html", mails=found[:PAGE_SIZE], more=len(found) > PAGE_SIZE, number=number, search=search,
            table=TABLE, plain=PLAIN, office=office,
        )  # fmt: skip

    @app.post("/cures/<word>")
    def cures(word: str) -> AnyResponse:
        if office is None:
            abort(404)
        try:
            office.cure(word, request.form.get("do") == "cure")
        except KeyError:
            abort(404)
        return redirect(url_for("mails", _anchor="behaviours"), 303)

    @app.get("/mails/<key>")
    def mail(key: str) -> str:
        message = _parsed(_raw(maildir, key))
        html, text = (message.get_body((kind,)) for kind in ("html", "plain"))
        return render_template(
            "mail.html", key=key, has_html=html is not None,
            headers=[(name, _header(message, name)) for name in dict.fromkeys(message.keys())],
            about={name: _header(message, name) for name in ("From", "To", "Date", "Subject")},
            text=_content(text)[:_TEXT_LIMIT] if text else "",
            files=[part.get_filename() or part.get_content_type() for part in message.iter_attachments()],
            loaded=request.args.get("loaded", type=int), silent="silent" in request.args,
        )  # fmt: skip

    @app.get("/mails/<key>/html")
    def body(key: str) -> Response:
        message = _parsed(_raw(maildir, key))
        part = message.get_body(("html",))
        if part is None:
            abort(404)
        response = Response(_with_images(_content(part), message), mimetype="text/html")
        response.headers["Content-Security-Policy"] = _BODY_POLICY
        return response

    @app.get("/mails/<key>/files/<int:number>")
    def file(key: str, number: int) -> Response:
        parts = list(_parsed(_raw(maildir, key)).iter_attachments())
        if number >= len(parts):
            abort(404)
        content = parts[number].get_payload(decode=True)
        name = parts[number].get_filename() or f"{number + 1}"
        return _download(content if isinstance(content, bytes) else parts[number].as_bytes(), name)

    @app.get("/mails/<key>/source")
    def source(key: str) -> Response:
        return _download(_raw(maildir, key), "message.eml")

    @app.post("/mails/<key>/reading")
    def reading(key: str) -> AnyResponse:
        try:
            loaded = read(_raw(maildir, key))
        except OSError:
            return redirect(url_for("mail", key=key, silent=1), 303)
        return redirect(url_for("mail", key=key, loaded=loaded), 303)

    return app


def _french(words: str) -> str:
    """As French is printed: a curved apostrophe, a fixed space before the colon."""
    return words.replace("'", "’").replace(" :", "\xa0:")


def _listed(maildir: Path, search: str) -> Iterator[Listed]:
    """The e-mails, the newest first; with `search` those that have it in their people or subject."""
    files = sorted(
        (path for folder in ("new", "cur") for path in (maildir / folder).glob("*")),
        key=_written,
        reverse=True,
    )
    lines = (line for path in files if (line := _line(path)) is not None)
    wanted = search.casefold()
    return (line for line in lines if wanted in f"{line.to} {line.sender} {line.subject}".casefold())


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # moved since it was listed
        return 0


def _line(path: Path) -> Listed | None:
    try:
        with path.open("rb") as content:
            message = _parsed(content.read(65536))
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    to, sender, subject = (_header(message, name) for name in ("Delivered-To", "From", "Subject"))
    return Listed(path.name.partition(":")[0], at, to, sender, subject)


def _header(message: EmailMessage, name: str) -> str:
    """One header as text; as it came where the standard library's parser stumbles over it."""
    try:
        return str(message[name] or "")
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        return next(str(value) for key, value in message.raw_items() if key.lower() == name.lower())


def _raw(maildir: Path, key: str) -> bytes:
    """The message's bytes, or 404. The key is looked up in the folder's list, never made into a path."""
    try:
        return mailbox.Maildir(maildir, create=False).get_bytes(key)
    except (KeyError, mailbox.NoSuchMailboxError):
        abort(404)


def _parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=default)


def _content(part: MIMEPart) -> str:
    """A text part as text, whatever its charset says."""
    try:
        return str(part.get_content())
    except (LookupError, KeyError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _with_images(html: str, message: EmailMessage) -> str:
    """`html` with the message's own images in place of their cid: addresses."""
    for part in message.walk():
        name = str(part["Content-ID"] or "").strip("<> ")
        content = part.get_payload(decode=True)
        if name and isinstance(content, bytes) and part.get_content_maintype() == "image":
            encoded = base64.b64encode(content).decode()
            html = html.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{encoded}")
    return html


def _download(content: bytes, name: str) -> Response:
    return send_file(BytesIO(content), "application/octet-stream", as_attachment=True, download_name=name)
