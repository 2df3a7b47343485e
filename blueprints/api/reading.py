"""Reading what a program sends, strictly: pydantic models, unknown fields refused, each error with its place.

It takes the place of APIFlask's own reader of pydantic models, which takes any media type, joins repeated query
parameters and forgets where in the body an error is.
"""

from __future__ import annotations

from typing import Any, get_origin

from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from blueprints.problems import Problem

_MOST_ERRORS = 50


class StrictReader(PydanticAdapter):
    """A model read from the body (JSON only), the query string or the headers. Raises Problem."""

    def validate_input(self, request: Request, location: str, **kwargs: Any) -> BaseModel:
        model = self.model_class
        try:
            match location:
                case "json":
                    return model.model_validate_json(_body(request, getattr(model, "may_be_left_out", False)))
                case "query":
                    return model.model_validate(_query(request.args, model))
                case "headers":
                    names = {field.alias or name for name, field in model.model_fields.items()}
                    return model.model_validate({n: request.headers[n] for n in names if n in request.headers})
        except ValidationError as error:
            raise _problem(error, location) from error
        raise ValueError(f"nothing is read from {location}")


def _body(request: Request, may_be_left_out: bool) -> bytes:
    if may_be_left_out and not request.get_data():
        return b"{}"
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise Problem(415, "Send the body as application/json.")
    return request.get_data()


def _query(args: MultiDict[str, str], model: type[BaseModel]) -> dict[str, Any]:
    """The parameters as the model takes them: lists where it has lists."""
    many = {field.alias or name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    found: dict[str, Any] = {}
    for name, values in args.lists():
        if name not in many and len(values) > 1:
            wrong = {"detail": "Given more than once.", "parameter": name}
            raise Problem(422, f"The parameter {name} may be given once only.", [wrong])
        found[name] = values if name in many else values[0]
    return found


def _problem(error: ValidationError, location: str) -> Problem:
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    if wrong[0]["type"] == "json_invalid":
        return Problem(400, f"The body is no JSON: {wrong[0]['msg'].partition(': ')[2]}.")
    errors = [{"detail": one["msg"], **_place(one["loc"], location)} for one in wrong[:_MOST_ERRORS]]
    what = {"json": "body", "query": "query string", "headers": "headers"}[location]
    return Problem(422, f"Something in the {what} is not as it must be: see errors.", errors)


def _place(loc: tuple[int | str, ...], location: str) -> dict[str, str]:
    if location == "json":
        return {"pointer": pointer(*loc)}
    return {"parameter" if location == "query" else "header": str(loc[0]) if loc else ""}


def pointer(*loc: int | str) -> str:
    """A JSON pointer (RFC 6901) as a fragment: pointer("recipients", 0, "email") → #/recipients/0/email."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:100] for part in loc)
