"""The one style sheet of every page: /sheet.css, what Tabler gives and what the shared parts look like, joined.

Promises one request where there were nine, kept by browsers for good: its address says its version. A screen's own
style stands in a sheet of its own beside it (static/css, linked by the page). Compression is Flask-Compress's.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, request, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from blueprints.support import SAME_FOR_ALL, allow_anyone

blueprint = Blueprint("sheets", __name__)


class Sessions(SecureCookieSessionInterface):
    """Files that are the same for all neither set a cookie nor vary by it: a browser would ask for every one again each
    time its cookie changes, as it does with each message that a page shows once."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.endpoint not in SAME_FOR_ALL:
            super().save_session(app, session, response)


blueprint.record_once(lambda state: setattr(state.app, "session_interface", Sessions()))
# In the order of the cascade.
PARTS = (
    "tabler", "sillage", "shell", "components", "grid", "people", "compose", "templates", "resending",
    "search",
)  # fmt: skip


def joined() -> str:
    """The parts in one text, without their comments and indentation."""
    folder = Path(current_app.static_folder or "", "css")
    text = "\n".join((folder / f"{part}.css").read_text() for part in PARTS)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    vendor = url_for("static", filename="vendor/")
    return re.sub(r"\n\s*", "\n", text).replace('url("../vendor/', f'url("{vendor}')


def _kept() -> tuple[str, str]:
    """(version, text), made once; in debug mode each time, for a part may be at work."""
    known: tuple[str, str] | None = current_app.extensions.get("sheet")
    if known is None or current_app.debug:
        text = joined()
        known = current_app.extensions["sheet"] = (hashlib.sha256(text.encode()).hexdigest()[:10], text)
    return known


def sheet() -> str:
    """The address of the style sheet as it is now."""
    return url_for("sheets.sheet_css", v=_kept()[0])


blueprint.add_app_template_global(sheet)


@blueprint.get("/sheet.css")
@allow_anyone
def sheet_css() -> Response:
    """The style sheet; an address with another version, of a page that was open before, is not kept."""
    version, text = _kept()
    response = Response(text, mimetype="text/css")
    for_good = request.args.get("v") == version
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if for_good else "no-cache"
    return response
