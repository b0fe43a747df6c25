"""Routes of logins, passwords and links."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from services.accounts.api.dependencies import Credentials, FromDevice, hashes_a_password
from services.accounts.schemas.users import (
    ConfirmEmailIn,
    ConfirmResetIn,
    LoginIn,
    LoginOut,
    PasswordIn,
    RefreshIn,
    RegisterIn,
    ResetIn,
    SessionOut,
)
from services.accounts.service import credentials, logins
from services.accounts.service.identity import Identity
from services.accounts.service.logins import Login
from services.accounts.throttle import (
    LINK_PER_ADDRESS,
    LOGIN_PER_ADDRESS,
    REFRESH_PER_ADDRESS,
    REGISTER_PER_ADDRESS,
    address_key,
)
from shared.auth.users import CurrentUser
from shared.errors import Unauthenticated
from shared.http.caching import NO_STORE, no_store
from shared.http.pagination import Page, Paging
from shared.http.problems import problem_of, problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession

auth = APIRouter(prefix="/api/auth", tags=["auth"], dependencies=[no_store])
keys = APIRouter(tags=["auth"])


@auth.post(
    "/register/",
    status_code=201,
    response_model=LoginOut,
    responses=problems(409, 429, 503),
    dependencies=[hashes_a_password],
)
async def register(body: RegisterIn, session: DbSession, identity: Credentials, device: FromDevice) -> dict[str, Any]:
    """Open an account, and log in on this device. A link that confirms the e-mail is mailed."""
    await identity.throttle.take(REGISTER_PER_ADDRESS, address_key(device.address))
    user = await logins.register(
        session,
        identity,
        email=body.email,
        password=body.password,
        full_name=body.full_name,
        role=body.role,
        phone=body.phone,
        language=body.language,
    )
    return _answer(await logins.begin_session(session, identity, user, device), identity)


@auth.post("/login/", response_model=LoginOut, responses=problems(401, 429, 503), dependencies=[hashes_a_password])
async def login(body: LoginIn, session: DbSession, identity: Credentials, device: FromDevice) -> dict[str, Any]:
    """Log in on this device."""
    await identity.throttle.take(LOGIN_PER_ADDRESS, address_key(device.address))
    came = await logins.log_in(session, identity, email=body.email, password=body.password, device=device)
    return _answer(came, identity)


@auth.post("/refresh/", response_model=LoginOut, responses=problems(401, 429))
async def refresh(
    body: RefreshIn, request: Request, session: DbSession, identity: Credentials, device: FromDevice
) -> dict[str, Any] | JSONResponse:
    """Spend a refresh token for a new pair. Using a spent one ends its whole family."""
    await identity.throttle.take(REFRESH_PER_ADDRESS, address_key(device.address))
    came = await logins.refresh(session, identity, token=body.refresh, device=device)
    if came is None:
        # Answered and not raised: an error would roll back the end of a reused token's family.
        refused = Unauthenticated(
            "This refresh token is spent, ended or unknown.", slug="invalid-refresh-token", headers=NO_STORE
        )
        return problem_of(refused, request.url.path)
    return _answer(came, identity)


@auth.post("/logout/", status_code=204)
async def logout(body: RefreshIn, session: DbSession, identity: Credentials) -> None:
    """End the login that this refresh token belongs to; its access tokens stop working everywhere."""
    await logins.log_out(session, identity, token=body.refresh)


@auth.get("/sessions/", response_model=Page[SessionOut])
async def list_sessions(page: Paging, by: CurrentUser, session: DbSession) -> Response:
    """The devices that you are logged in on, newest first."""
    return RowsResponse(await logins.sessions(session, by, page), headers=NO_STORE)


@auth.delete("/sessions/{session_id}/", status_code=204, responses=problems(404))
async def end_session(session_id: UUID, by: CurrentUser, session: DbSession, identity: Credentials) -> None:
    """Log one device out."""
    await logins.end_session(session, identity, by, session_id)


@auth.post("/password/", status_code=204, responses=problems(403, 409, 429, 503), dependencies=[hashes_a_password])
async def change_password(
    body: PasswordIn, by: CurrentUser, session: DbSession, identity: Credentials, device: FromDevice
) -> None:
    """Set a new password; every other device is logged out."""
    await credentials.change_password(
        session, identity, by, device, current=body.current_password, new=body.new_password
    )


@auth.post("/password/reset/", status_code=202, responses=problems(429))
async def reset_password(body: ResetIn, session: DbSession, identity: Credentials, device: FromDevice) -> None:
    """Mail a link that sets a new password, good for 30 minutes. Whether the address is known, no answer tells."""
    await identity.throttle.take(LINK_PER_ADDRESS, address_key(device.address))
    await credentials.request_reset(session, identity, email=body.email)


@auth.post("/password/reset/confirm/", status_code=204, responses=problems(401, 503), dependencies=[hashes_a_password])
async def confirm_reset(body: ConfirmResetIn, session: DbSession, identity: Credentials) -> None:
    """Set a new password by a mailed link; every device is logged out."""
    await credentials.confirm_reset(session, identity, token=body.token, new=body.new_password)


@auth.post("/email/confirm/", status_code=204, responses=problems(401))
async def confirm_email(body: ConfirmEmailIn, session: DbSession, identity: Credentials) -> None:
    """Show by a mailed link that the e-mail is yours."""
    await credentials.confirm_email(session, identity, token=body.token)


@auth.post("/email/resend/", status_code=202, responses=problems(409, 429))
async def resend_confirmation(by: CurrentUser, session: DbSession, identity: Credentials) -> None:
    """Mail the link that confirms your e-mail once more."""
    await credentials.resend_confirmation(session, identity, by)


@keys.get("/.well-known/jwks.json")
async def public_keys(identity: Credentials, response: Response) -> dict[str, Any]:
    """The public keys that access tokens verify by (RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return await identity.signer.public_keys()


def _answer(login: Login, identity: Identity) -> dict[str, Any]:
    return {
        "user": login.user,
        "access": login.access,
        "refresh": login.refresh,
        "expires_in": identity.signer.ttl_seconds,
    }
