"""Segments, to read: their ids are what the filter `segment` takes."""

from __future__ import annotations

from typing import Any

from flask import Response
from pydantic import Field
from sqlalchemy import func, select

from blueprints.api.door import answer, blueprint, organisation, own, scoped
from blueprints.api.fields import Answer, Moment, PageShape
from blueprints.api.paging import ListQuery, page
from extensions import db
from history import segments
from models import Segment
from people.pages import matches
from people.tokens import Access


class SegmentShape(Answer):
    """A named set of contacts."""

    id: str
    name: str
    rule: dict[str, Any] | None = Field(description="Whom it holds; null where members are chosen one by one.")
    created_at: Moment


class SegmentDetail(SegmentShape):
    """A segment with how many contacts it holds today."""

    contact_count: int


class SegmentPage(PageShape):
    """A page of segments."""

    items: list[SegmentShape]


@blueprint.get("/segments")
@scoped(Access.READ)
@blueprint.input(ListQuery, location="query", arg_name="asked")
@blueprint.output(SegmentPage)
def list_segments(asked: ListQuery) -> Response:
    """A page of segments, in the order in which they were made."""
    query = select(Segment).where(Segment.organisation_id == organisation().id)
    if asked.q:
        query = query.where(*matches(asked.q, Segment.name))
    said, headers = page(query, Segment.id, asked, lambda segment: SegmentShape(**_columns(segment)))
    return answer(SegmentPage(**said), headers=headers)


@blueprint.get("/segments/<segment_id>")
@scoped(Access.READ)
@blueprint.output(SegmentDetail)
def get_segment(segment_id: str) -> Response:
    """One segment, with how many contacts it holds today."""
    segment = own(Segment, segment_id)
    held = segments.contact_ids(segment).subquery()
    count = db.session.scalar(select(func.count()).select_from(held)) or 0
    return answer(SegmentDetail(contact_count=count, **_columns(segment)))


def _columns(segment: Segment) -> dict[str, Any]:
    return {"id": segment.public_id, "name": segment.name, "rule": segment.rule, "created_at": segment.created_at}
