"""Routes of accounts."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from services.accounts.models import User
from services.accounts.schemas import LoginIn, LoginOut, RefreshIn, RegisterIn, UserOut
from services.accounts.service import logins as service
from services.accounts.service.logins import Device, Identity, Login
from shared.auth.users import CallingService, CurrentUser
from shared.contracts.accounts import UserState
from shared.errors import Unauthenticated
from shared.http.problems import problem_of, problems
from shared.http.service import DbSession

auth = APIRouter(prefix="/api/auth", tags=["auth"])
users = APIRouter(prefix="/api/users", tags=["users"])
keys = APIRouter(tags=["auth"])
internal = APIRouter(prefix="/internal", include_in_schema=False)


async def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


async def _device(request: Request) -> Device:
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    address = forwarded or (request.client.host if request.client else None)
    return Device(address, request.headers.get("user-agent", "")[:300])


Credentials = Annotated[Identity, Depends(_identity)]
FromDevice = Annotated[Device, Depends(_device)]


@auth.post("/register/", status_code=201, response_model=LoginOut, responses=problems(409, 503))
async def register(
    body: RegisterIn, session: DbSession, identity: Credentials, device: FromDevice, response: Response
) -> dict[str, Any]:
    """Open an account, and log in on this device."""
    user = await service.register(
        session,
        identity,
        email=body.email,
        password=body.password,
        full_name=body.full_name,
        role=body.role,
        phone=body.phone,
        language=body.language,
    )
    return _answer(await service.begin_session(session, identity, user, device), identity, response)


@auth.post("/login/", response_model=LoginOut, responses=problems(401, 503))
async def login(
    body: LoginIn, session: DbSession, identity: Credentials, device: FromDevice, response: Response
) -> dict[str, Any]:
    """Log in on this device."""
    came = await service.log_in(session, identity, email=body.email, password=body.password, device=device)
    return _answer(came, identity, response)


@auth.post("/refresh/", response_model=LoginOut, responses=problems(401))
async def refresh(
    body: RefreshIn,
    request: Request,
    session: DbSession,
    identity: Credentials,
    device: FromDevice,
    response: Response,
) -> dict[str, Any] | JSONResponse:
    """Spend a refresh token for a new pair. Using a spent one ends its whole family."""
    came = await service.refresh(session, identity, token=body.refresh, device=device)
    if came is None:
        # Answered and not raised: an error would roll back the end of a reused token's family.
        refused = Unauthenticated("This refresh token is spent, ended or unknown.", slug="invalid-refresh-token")
        return problem_of(refused, request.url.path)
    return _answer(came, identity, response)


@auth.post("/logout/", status_code=204)
async def logout(body: RefreshIn, session: DbSession) -> None:
    """End the login that this refresh token belongs to."""
    await service.log_out(session, token=body.refresh)


@users.get("/me/", response_model=UserOut)
async def me(by: CurrentUser, session: DbSession) -> User:
    """Your own account."""
    return await service.me(session, by.id)


@keys.get("/.well-known/jwks.json")
async def public_keys(identity: Credentials, response: Response) -> dict[str, Any]:
    """The public keys that access tokens verify by (RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return await identity.signer.public_keys()


@internal.get("/users/{user_id}/", response_model=UserState)
async def user_state(user_id: UUID, session: DbSession, _: CallingService) -> UserState:
    return await service.user_state(session, user_id)


def _answer(login: Login, identity: Identity, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    return {
        "user": login.user,
        "access": login.access,
        "refresh": login.refresh,
        "expires_in": identity.signer.ttl_seconds,
    }
