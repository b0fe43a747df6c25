"""Requests that a document allows and a service refuses all the same: what no schema can say, and why."""

from collections.abc import Mapping

CURSOR = "a cursor is one that a page of this list gave"
IF_MATCH = "If-Match names a version that has passed"
PASSWORD = "the commonest passwords are not taken"
PHONE = "a phone number is one that a country has given out"

REFUSALS: Mapping[str, Mapping[int, str]] = {
    # accounts
    "POST /api/auth/register/": {422: f"{PASSWORD}; {PHONE}; an e-mail's domain is one that can get mail"},
    "POST /api/auth/password/": {422: PASSWORD},
    "POST /api/auth/password/reset/confirm/": {422: PASSWORD},
    "GET /api/auth/sessions/": {422: CURSOR},
    "GET /api/users/": {422: CURSOR},
    "PUT /api/users/{user_id}/": {412: IF_MATCH, 422: PHONE},
    "PATCH /api/users/{user_id}/": {412: IF_MATCH, 422: PHONE},
    "GET /api/workers/": {422: f"{CURSOR}; ordering by distance needs near"},
    "PUT /api/workers/{worker_id}/": {412: IF_MATCH},
    "PATCH /api/workers/{worker_id}/": {412: IF_MATCH},
}
"""Operation → status → reason. One that is not met any more fails its operation's test."""
