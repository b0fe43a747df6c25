"""Public answers that caches may keep for a moment, and readers revalidate (RFC 9110, 13.1.2; RFC 9111)."""

import hashlib
from typing import Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.http.preconditions import ANYTHING, entity_tags
from shared.http.responses import RowsResponse

PUBLIC = "public, s-maxage=1, must-revalidate"
PERSONAL = "private, no-cache"
VARY = "Accept-Language, Accept-Encoding, Authorization"
"""With `Authorization`, what a cache has kept for nobody in particular is no answer to someone who says who they are;
and `PERSONAL` keeps what they get out of shared caches."""

NO_STORE = {"Cache-Control": "no-store"}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What `If-None-Match` names is still right"}}
"""For the `responses=` of a route that answers with `public_answer`."""


def public_answer(request: Request, content: Any, *, version: int = 0) -> Response:
    """`content` as JSON with the headers of a public read, or 304 where the reader has it already.

    `version` is the thing's own; a list has none.
    """
    answer = RowsResponse(content)
    tag = f'"{version}.{hashlib.blake2b(answer.body, digest_size=12).hexdigest()}"'
    headers = {
        "ETag": tag,
        "Cache-Control": PERSONAL if "authorization" in request.headers else PUBLIC,
        "Vary": VARY,
    }
    known = entity_tags(request.headers.getlist("if-none-match"), weak=True)
    if not known.isdisjoint({tag, ANYTHING}):
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer


async def _no_store(response: Response) -> None:
    response.headers.update(NO_STORE)


no_store = Depends(_no_store)
"""For the `dependencies=` of routes whose answers nobody may keep."""
