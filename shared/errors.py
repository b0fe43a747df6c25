"""What a use case may answer instead of a result. The HTTP edge turns each into a problem document, once.

They carry no framework, so `service.py` can raise them and a test can expect them.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, TypedDict


class FieldError(TypedDict):
    field: str
    message: str
    code: str


class MarketplaceError(Exception):
    """Base of all expected refusals: nothing was changed, and `detail` says why in a sentence for a person."""

    status: ClassVar[int] = 500
    slug: str = "internal-error"
    title: str = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        slug: str | None = None,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.slug = slug or self.slug
        self.title = title or self.title
        self.headers = dict(headers or {})
        self.members = members


class Unauthenticated(MarketplaceError):
    status = 401
    slug, title = "unauthenticated", "Authentication is needed"


class Forbidden(MarketplaceError):
    status = 403
    slug, title = "forbidden", "Not allowed for your role"


class NotFound(MarketplaceError):
    """Also for what exists but is not the asker's to know of."""

    status = 404
    slug, title = "not-found", "Not found"


class Conflict(MarketplaceError):
    status = 409
    slug, title = "conflict", "The current state forbids it"


class PreconditionFailed(MarketplaceError):
    """The thing is no longer what the caller has seen of it; `version` says which it is by now."""

    status = 412
    slug, title = "version-mismatch", "Changed meanwhile"


class Invalid(MarketplaceError):
    """A well-formed request whose values can't be taken; `errors` names the fields."""

    status = 422
    slug, title = "invalid", "Invalid input"

    def __init__(self, detail: str = "Some values can't be taken.", *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, errors=list(errors))


class TooManyRequests(MarketplaceError):
    """Over a limit; the same again is taken once `retry_after` has passed."""

    status = 429
    slug, title = "too-many-requests", "Too many requests"

    def __init__(self, detail: str, *, retry_after: timedelta) -> None:
        # Whole seconds, rounded up: who comes back when told to must not be too early.
        seconds = max(1, math.ceil(retry_after.total_seconds()))
        super().__init__(detail, headers={"Retry-After": str(seconds)})


class Unavailable(MarketplaceError):
    """Something this answer needs is away for now."""

    status = 503
    slug, title = "unavailable", "Unavailable for now"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


def invalid_field(field: str, message: str, code: str = "invalid") -> Invalid:
    return Invalid(errors=[{"field": field, "message": message, "code": code}])


def wrong_origin() -> Forbidden:
    title = "Not allowed for this origin"
    return Forbidden("Pages of this origin may open no WebSocket here.", slug="origin-not-allowed", title=title)
