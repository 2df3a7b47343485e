"""The OpenAPI document (made by APIFlask, completed here) and the page that shows it to people.

APIFlask says paths, parameters, bodies and answers; what holds for all of them (problems, scopes, names) is put in
here from the routes themselves, so that no view repeats it.
"""

from __future__ import annotations

import copy
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask
from apiflask.openapi_adapters import openapi_helper
from flask import Flask, Response, current_app, jsonify
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import Rule

from blueprints.api.door import RATE, blueprint
from blueprints.api.fields import ProblemShape
from blueprints.problems import MEDIA_TYPE
from blueprints.support import allow_anyone, page
from people.tokens import Access

SCHEME = "token"
_REF = "#/components/schemas/"
_ALWAYS = (401, 403, 429, 503)
_BINARY = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
# What is no JSON model: (path, method) → status → media type → its media type object.
_FILES: dict[tuple[str, str], dict[str, Any]] = {
    ("/emails/{email_id}/source", "get"): {"message/rfc822": _BINARY},
    ("/emails/{email_id}/attachments/{position}", "get"): {"*/*": _BINARY},
    ("/emails/export", "get"): {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
    ("/exports/{export_id}/file", "get"): {"*/*": _BINARY},
}
# operation → the statuses that only it answers with.
_MORE: dict[str, tuple[int, ...]] = {
    "delete_export": (409,),
    "get_source": (410,),
    "get_attachment": (410,),
    "get_export_file": (206, 409, 410, 416),
}
_OPTIONAL_BODIES = ("post_resend", "post_export", "post_answered")
_UPLOAD = {
    "multipart/form-data": {
        "schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY["schema"]}},
    },
    "application/octet-stream": _BINARY,
}
_TAGS = {
    "emails": "E-mails",
    "attachments": "E-mails",
    "exports": "Exports",
    "contacts": "Contacts",
    "segments": "Contacts",
    "suppressions": "Quarantine",
    "sessions": "Sessions",
    "templates": "E-mails",
    "evaluations": "Sessions",
    "events": "Business events",
}
DESCRIPTION = f"""Send e-mails, follow each one, export them.

Every request shows a token: `Authorization: Bearer sil_…` (Settings › API keys, or
`flask --app app token create --user EMAIL`). Scopes: `read`, `send`, `admin`; a token never does more than its user's
role allows. Bodies are JSON; unknown fields are refused. Times are RFC 3339 in UTC. Errors are
`application/problem+json` (RFC 9457). A token may make {RATE.replace("/", " requests a ")}; `RateLimit-Remaining` says
how many are left. `X-Request-ID` is echoed."""


@blueprint.record_once
def _settle(state: BlueprintSetupState) -> None:
    state.app.config.update(
        OPENAPI_VERSION="3.1.0", AUTO_200_RESPONSE=False, AUTO_404_RESPONSE=False, AUTO_TAGS=False, AUTO_SERVERS=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False, AUTO_AUTH_ERROR_RESPONSE=False, DESCRIPTION=DESCRIPTION,
        SERVERS=[{"url": "/"}], TAGS=[{"name": name} for name in dict.fromkeys((*_TAGS.values(), "Vocabulary"))],
        SECURITY_SCHEMES={SCHEME: {"type": "http", "scheme": "bearer", "description": _scopes()}},
    )  # fmt: skip


def _scopes() -> str:
    return "Scopes: " + ", ".join(f"`{access.value}`" for access in Access)


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document, made once for each app."""
    if "openapi" not in app.extensions:
        for other in app.blueprints.values():  # APIFlask asks it of every blueprint
            if not hasattr(other, "enable_openapi"):
                other.enable_openapi = False  # type: ignore[attr-defined]
        made: APIFlask = app  # type: ignore[assignment]
        app.extensions["openapi"] = _completed(app, copy.deepcopy(made.spec))  # type: ignore[arg-type]
    return app.extensions["openapi"]


def _completed(app: Flask, spec: dict[str, Any]) -> dict[str, Any]:
    schema = openapi_helper.schema_to_json_schema(ProblemShape)
    nested = schema.pop("$defs", {})
    schemas = spec["components"]["schemas"]
    schemas["ProblemShape"] = schema
    schemas.update({f"ProblemShape.{name}": one for name, one in nested.items()})
    rules = {
        (_path(rule), method.lower()): rule
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or ())
        if rule.endpoint.startswith("api.")
    }
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _complete(app, path.removeprefix("/api/v1"), method, operation, rules[path, method])
    return spec


def _path(rule: Rule) -> str:
    parts = (piece if not dynamic else "{" + piece + "}" for dynamic, piece in rule._trace)
    return "".join(parts).removeprefix("|")


def _complete(app: Flask, path: str, method: str, operation: dict[str, Any], rule: Rule) -> None:
    view = app.view_functions[rule.endpoint]
    access: Access = view.guard  # type: ignore[attr-defined]
    operation["operationId"] = rule.endpoint.removeprefix("api.")
    operation["tags"] = [_TAGS.get(path.split("/")[1], "Vocabulary")]
    operation["security"] = [{SCHEME: [access.value]}]
    if "requestBody" in operation:
        operation["requestBody"]["required"] = operation["operationId"] not in _OPTIONAL_BODIES
    if path == "/attachments":
        operation["requestBody"] = {"required": True, "content": _UPLOAD}
    if content := _FILES.get((path, method)):
        operation["responses"]["200"] = {"description": "The bytes.", "content": content}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["required"] = True
        description = parameter["schema"].pop("description", None)
        if description:
            parameter["description"] = description
    found = [*_ALWAYS, *((404,) if rule.arguments or _has_cursor(operation) else ())]
    found += [422] if operation.get("parameters") or "requestBody" in operation else []
    found += [304] if method == "get" else []
    found += _MORE.get(operation["operationId"], ())
    found += [400, 404, 409, 413, 415] if method in ("post", "patch") else []
    for code in sorted(set(found)):
        operation["responses"].setdefault(str(code), _problem(code))


def _has_cursor(operation: dict[str, Any]) -> bool:
    return any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))


def _problem(code: int) -> dict[str, Any]:
    if code == 206:
        return {"description": "The bytes that Range names.", "content": {"*/*": _BINARY}}
    if code == 304:
        return {"description": "As the ETag in If-None-Match says."}
    return {
        "description": HTTPStatus(code).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF + "ProblemShape"}}},
    }


@blueprint.get("/openapi.json")
@blueprint.doc(hide=True)
@allow_anyone
def openapi() -> Response:
    """The OpenAPI document."""
    response = jsonify(document(current_app))
    response.add_etag()
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@blueprint.get("/docs")
@blueprint.doc(hide=True)
@allow_anyone
def docs() -> Response:
    """The document as a page to read."""
    return page("api/docs.html", spec=document(current_app))
