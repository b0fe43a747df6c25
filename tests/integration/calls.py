"""Every call of the API, and what each kind of caller gets of it: one row a call."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.scenes import (
    Request,
    Scene,
    a_category,
    a_notification,
    a_picture,
    a_service,
    a_session,
    a_verdict,
    acceptance,
    attempt,
    cancellation,
    card,
    complaint,
    confirmation_link,
    decision,
    forgotten_password,
    hidden_ones,
    login,
    new_category,
    new_order,
    new_password,
    new_service,
    other_category,
    other_name,
    other_profile,
    other_service,
    own_account,
    payout,
    picture_of_a_service,
    preferences,
    read,
    refresh_token,
    refund,
    refund_by_hand,
    registration,
    reset_link,
    search,
    socket_ticket,
    unread_notifications,
    whole_page,
)
from tests.integration.world import ADMIN, ANONYMOUS, BANNED, CALLERS, CLIENT, WORKER

Check = Callable[[Scene, Request, Any], None]


def anything(scene: Scene, request: Request, body: Any) -> None:
    """The schema says all there is to say of the body."""


def oneself(scene: Scene, request: Request, body: Any) -> None:
    assert request.by
    assert body["id"] == request.by.id


def of_oneself(scene: Scene, request: Request, body: Any) -> None:
    assert request.by
    assert body["user"]["id"] == request.by.id


def shows(thing: str) -> Check:
    """The body is that thing of the world."""

    def check(scene: Scene, request: Request, body: Any) -> None:
        assert body["id"] == scene.world.ids[thing]

    return check


def lists(thing: str, *to: str) -> Check:
    """The body is a list that holds that thing of the world for these callers, and for no others."""

    def check(scene: Scene, request: Request, body: Any) -> None:
        assert (scene.world.ids[thing] in [each["id"] for each in body["results"]]) == (scene.caller in to)

    return check


def without_contacts(check: Check) -> Check:
    """As `check`, and neither e-mail nor phone is anywhere, also not the reader's own."""

    def both(scene: Scene, request: Request, body: Any) -> None:
        for profile in body.get("results", [body]):
            assert profile.keys().isdisjoint({"email", "phone"})
        check(scene, request, body)

    return both


def public_halves(scene: Scene, request: Request, body: Any) -> None:
    assert {name for key in body["keys"] for name in key} == {"kty", "crv", "x", "kid", "use", "alg"}


@dataclass(frozen=True)
class Call:
    """A row. `whose` is the owner of what the call is about; `other` and `banned` have the owner's role."""

    method: str
    path: str
    whose: str
    anonymous: int
    client: int
    worker: int
    admin: int
    banned: int
    other: int
    sends: Callable[[Scene], Awaitable[Request]]
    check: Check = anything
    """Of a body of success, beyond its schema."""
    refused_as: str | None = None
    """The slug of a 401 that is not about an access token."""
    in_vain: tuple[str, ...] = ()
    """Callers whose success changes nothing: what they name is nobody's, or is over already."""

    @property
    def operation(self) -> tuple[str, str]:
        return self.method, self.path

    def status(self, caller: str) -> int:
        status: int = getattr(self, caller)
        return status

    def changes(self, caller: str) -> bool:
        """Whether this caller changes something by it."""
        return self.method != "GET" and self.status(caller) < 400 and caller not in self.in_vain

    def slug(self, caller: str) -> str:
        """Of the refusal of this caller."""
        token = "unauthenticated" if caller == ANONYMOUS else "invalid-token"
        return {401: self.refused_as or token, 403: "forbidden", 404: "not-found"}[self.status(caller)]


# fmt: off
CALLS = (
    #     accounts                                          whose   anon client worker admin banned other
    Call("POST",   "/api/auth/register/",                   CLIENT, 201, 201, 201, 201, 201, 201, registration),
    Call("POST",   "/api/auth/login/",                      CLIENT, 401, 200, 200, 200, 401, 401, login,
         check=of_oneself, refused_as="wrong-credentials"),
    Call("POST",   "/api/auth/refresh/",                    CLIENT, 401, 200, 200, 200, 401, 200, refresh_token,
         check=of_oneself, refused_as="invalid-refresh-token"),
    Call("POST",   "/api/auth/logout/",                     CLIENT, 204, 204, 204, 204, 204, 204, refresh_token,
         in_vain=(ANONYMOUS, BANNED)),
    Call("GET",    "/api/auth/sessions/",                   CLIENT, 401, 200, 200, 200, 401, 200, whole_page,
         check=lists("session_id", CLIENT)),
    Call("DELETE", "/api/auth/sessions/{session_id}/",      CLIENT, 401, 204, 404, 404, 401, 404, a_session),
    Call("POST",   "/api/auth/password/",                   CLIENT, 401, 204, 204, 204, 401, 204, new_password),
    Call("POST",   "/api/auth/password/reset/",             CLIENT, 202, 202, 202, 202, 202, 202, forgotten_password,
         in_vain=(BANNED,)),
    Call("POST",   "/api/auth/password/reset/confirm/",     CLIENT, 401, 204, 204, 204, 401, 204, reset_link,
         refused_as="invalid-link"),
    Call("POST",   "/api/auth/email/confirm/",              CLIENT, 401, 204, 204, 204, 401, 204, confirmation_link,
         refused_as="invalid-link"),
    Call("POST",   "/api/auth/email/resend/",               CLIENT, 401, 202, 202, 202, 401, 202, own_account),
    Call("GET",    "/api/users/",                           CLIENT, 401, 403, 403, 200, 401, 403, search,
         check=lists("user_id", ADMIN)),
    Call("GET",    "/api/users/me/",                        CLIENT, 401, 200, 200, 200, 401, 200, read,
         check=oneself),
    Call("DELETE", "/api/users/me/",                        CLIENT, 401, 204, 204, 204, 401, 204, own_account),
    Call("GET",    "/api/users/me/export/",                 CLIENT, 401, 200, 200, 200, 401, 200, read,
         check=of_oneself),
    Call("GET",    "/api/users/{user_id}/",                 CLIENT, 401, 200, 404, 200, 401, 404, read,
         check=shows("user_id")),
    Call("PUT",    "/api/users/{user_id}/",                 CLIENT, 401, 200, 404, 200, 401, 404, other_name),
    Call("PATCH",  "/api/users/{user_id}/",                 CLIENT, 401, 200, 404, 200, 401, 404, other_name),
    Call("GET",    "/api/workers/",                         WORKER, 200, 200, 200, 200, 200, 200, search,
         check=without_contacts(lists("worker_id", *CALLERS))),
    Call("GET",    "/api/workers/{worker_id}/",             WORKER, 200, 200, 200, 200, 200, 200, read,
         check=without_contacts(shows("worker_id"))),
    Call("PUT",    "/api/workers/{worker_id}/",             WORKER, 401, 403, 200, 200, 401, 403, other_profile,
         check=without_contacts(anything)),
    Call("PATCH",  "/api/workers/{worker_id}/",             WORKER, 401, 403, 200, 200, 401, 403, other_profile,
         check=without_contacts(anything)),
    Call("GET",    "/.well-known/jwks.json",                CLIENT, 200, 200, 200, 200, 200, 200, read,
         check=public_halves),

    #     catalog                                           whose   anon client worker admin banned other
    Call("GET",    "/api/services/categories/",             WORKER, 200, 200, 200, 200, 200, 200, read),
    Call("POST",   "/api/services/categories/",             WORKER, 401, 403, 403, 201, 401, 403, new_category),
    Call("PUT",    "/api/services/categories/{category_id}/", WORKER, 401, 403, 403, 200, 401, 403, other_category),
    Call("PATCH",  "/api/services/categories/{category_id}/", WORKER, 401, 403, 403, 200, 401, 403, other_category),
    Call("DELETE", "/api/services/categories/{category_id}/", WORKER, 401, 403, 403, 204, 401, 403, a_category),
    Call("GET",    "/api/services/",                        WORKER, 200, 200, 200, 200, 200, 200, search,
         check=lists("service_id", *CALLERS)),
    Call("GET",    "/api/services/facets/",                 WORKER, 200, 200, 200, 200, 200, 200, read),
    Call("POST",   "/api/services/",                        WORKER, 401, 403, 201, 403, 401, 201, new_service),
    Call("GET",    "/api/services/{service_id}/",           WORKER, 200, 200, 200, 200, 200, 200, read,
         check=shows("service_id")),
    Call("PUT",    "/api/services/{service_id}/",           WORKER, 401, 403, 200, 200, 401, 404, other_service),
    Call("PATCH",  "/api/services/{service_id}/",           WORKER, 401, 403, 200, 200, 401, 404, other_service),
    Call("DELETE", "/api/services/{service_id}/",           WORKER, 401, 403, 204, 204, 401, 404, a_service),
    Call("GET",    "/api/services/mine/",                   WORKER, 401, 403, 200, 403, 401, 200, hidden_ones,
         check=lists("hidden_id", WORKER)),
    Call("GET",    "/api/services/moderation/",             WORKER, 401, 403, 403, 200, 401, 403, hidden_ones,
         check=lists("hidden_id", ADMIN)),
    Call("POST",   "/api/services/{service_id}/moderate/",  WORKER, 401, 403, 403, 200, 401, 403, a_verdict),
    Call("POST",   "/api/services/{service_id}/images/",    WORKER, 401, 403, 201, 403, 401, 404, a_picture),
    Call("DELETE", "/api/services/{service_id}/images/{image_id}/",
                                                            WORKER, 401, 403, 204, 403, 401, 404, picture_of_a_service),

    #     orders                                            whose   anon client worker admin banned other
    Call("POST",   "/api/orders/create/",                   CLIENT, 401, 201, 403, 403, 401, 201, new_order),
    Call("GET",    "/api/orders/",                          CLIENT, 401, 200, 200, 200, 401, 200, whole_page,
         check=lists("order_id", CLIENT, WORKER, ADMIN)),
    Call("GET",    "/api/orders/{order_id}/",               CLIENT, 401, 200, 200, 200, 401, 404, read,
         check=shows("order_id")),
    Call("POST",   "/api/orders/{order_id}/assign/",        WORKER, 401, 403, 200, 200, 401, 404, acceptance),
    Call("POST",   "/api/orders/{order_id}/status/",        CLIENT, 401, 200, 200, 200, 401, 404, cancellation),
    Call("POST",   "/api/orders/{order_id}/dispute/",       CLIENT, 401, 201, 403, 403, 401, 404, complaint),
    Call("POST",   "/api/orders/{order_id}/dispute/resolve/", CLIENT, 401, 403, 403, 200, 401, 403, decision),

    #     payments                                          whose   anon client worker admin banned other
    Call("POST",   "/api/payments/order/{order_id}/pay/",   CLIENT, 401, 201, 403, 403, 401, 404, card),
    Call("GET",    "/api/payments/",                        CLIENT, 401, 200, 200, 200, 401, 200, whole_page,
         check=lists("payment_id", CLIENT, ADMIN)),
    Call("GET",    "/api/payments/{payment_id}/",           CLIENT, 401, 200, 404, 200, 401, 404, read,
         check=shows("payment_id")),
    Call("POST",   "/api/payments/{payment_id}/cancel/",    CLIENT, 401, 200, 403, 403, 401, 404, attempt),
    Call("POST",   "/api/payments/{payment_id}/refund/",    CLIENT, 401, 403, 403, 201, 401, 403, refund),
    Call("GET",    "/api/payments/refunds/",                CLIENT, 401, 403, 403, 200, 401, 403, whole_page),
    Call("POST",   "/api/payments/refunds/{refund_id}/done/", CLIENT, 401, 403, 403, 200, 401, 403, refund_by_hand),
    Call("GET",    "/api/payments/balance/",                WORKER, 401, 403, 200, 403, 401, 200, whole_page),
    Call("POST",   "/api/payments/payouts/",                WORKER, 401, 403, 403, 201, 401, 403, payout),

    #     notifications                                     whose   anon client worker admin banned other
    Call("GET",    "/api/notifications/",                   CLIENT, 401, 200, 200, 200, 401, 200, whole_page,
         check=lists("notification_id", CLIENT)),
    Call("GET",    "/api/notifications/unread-count/",      CLIENT, 401, 200, 200, 200, 401, 200, read),
    Call("POST",   "/api/notifications/read-all/",          CLIENT, 401, 204, 204, 204, 401, 204, unread_notifications),
    Call("POST",   "/api/notifications/{notification_id}/read/", CLIENT, 401, 204, 404, 404, 401, 404, a_notification),
    Call("GET",    "/api/notifications/preferences/",       CLIENT, 401, 200, 200, 200, 401, 200, read),
    Call("PUT",    "/api/notifications/preferences/",       CLIENT, 401, 200, 200, 200, 401, 200, preferences),
    Call("POST",   "/api/notifications/ws-ticket/",         CLIENT, 401, 201, 201, 201, 401, 201, socket_ticket),
)
# fmt: on
