"""JSON answers made straight from rows, for reads that are too hot for a model per row."""

from typing import Any

import orjson
from starlette.responses import Response

from shared.http.types import jsonable


class RowsResponse(Response):
    """Dicts and rows of plain values as JSON: UUIDs and times as text, amounts as strings."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, default=jsonable, option=orjson.OPT_UTC_Z)
