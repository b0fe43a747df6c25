"""Requests that a document allows and a service refuses all the same: what no schema can say, and why."""

from collections.abc import Mapping

CURSOR = "a cursor is one that a page of this list gave"
IF_MATCH = "If-Match names a version that has passed"
PASSWORD = "the commonest passwords are not taken"
CATEGORY = "a category is one that there is"
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
    # catalog
    "POST /api/services/categories/": {422: CATEGORY},
    "PUT /api/services/categories/{category_id}/": {412: IF_MATCH},
    "PATCH /api/services/categories/{category_id}/": {412: IF_MATCH},
    "DELETE /api/services/categories/{category_id}/": {412: IF_MATCH},
    "GET /api/services/": {422: f"{CURSOR}; ordering by distance needs near, by relevance search"},
    "POST /api/services/": {422: CATEGORY},
    "PUT /api/services/{service_id}/": {412: IF_MATCH},
    "PATCH /api/services/{service_id}/": {412: IF_MATCH},
    "DELETE /api/services/{service_id}/": {412: IF_MATCH},
    "GET /api/services/mine/": {422: CURSOR},
    "GET /api/services/moderation/": {422: CURSOR},
    "POST /api/services/{service_id}/moderate/": {412: IF_MATCH},
    # orders
    "POST /api/orders/create/": {
        422: f"{PHONE}; an appointment is in the future; an Idempotency-Key is not used again with another body"
    },
    "GET /api/orders/": {422: CURSOR},
    "POST /api/orders/{order_id}/dispute/resolve/": {422: "no more is given back than is held"},
    # payments
    "POST /api/payments/order/{order_id}/pay/": {
        422: "a payer returns to an origin that is allowed; a card goes with method card alone, has the right check "
        "digit, has not expired, and its token is one that a provider knows"
    },
    "GET /api/payments/": {422: CURSOR},
    "POST /api/payments/{payment_id}/refund/": {422: "no more goes back than was paid"},
    "GET /api/payments/refunds/": {422: CURSOR},
    "GET /api/payments/balance/": {422: CURSOR},
    # notifications
    "GET /api/notifications/": {422: CURSOR},
}
"""Operation → status → reason. One that is not met any more fails its operation's test."""
