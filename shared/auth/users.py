"""Who calls: `CurrentUser` and its narrower kinds for the signature of a route, and callers of `/internal/`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from starlette.requests import HTTPConnection

from shared.auth.keys import KeyCache
from shared.auth.revocations import Revocations
from shared.auth.service_tokens import verify_service_token
from shared.auth.tokens import Claims, invalid_token, unverified_key_id, verify
from shared.contracts.orders import ActorRef
from shared.errors import Forbidden, Unauthenticated


class User(BaseModel):
    """The user that a verified token speaks for."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    role: str
    claims: Claims

    @property
    def session_id(self) -> UUID:
        return self.claims.session_id

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    def ref(self) -> ActorRef:
        return ActorRef(id=self.id, role=self.role)


class Authenticator:
    """Verifies tokens for one service: users' by accounts' keys, other services' by the internal secret."""

    def __init__(
        self, service: str, keys: KeyCache, revocations: Revocations, issuer: str, internal_secret: str
    ) -> None:
        self._service, self.keys, self.revocations = service, keys, revocations
        self._issuer, self._secret = issuer, internal_secret

    async def user(self, token: str) -> User:
        """Raise `Unauthenticated`, or `Unavailable` while accounts' keys are not known."""
        claims = verify(token, await self.keys.key(unverified_key_id(token)), self._issuer)
        if self.revocations.refuses(claims):
            raise invalid_token("This login has been ended.")
        return User(id=claims.user_id, role=claims.role, claims=claims)

    def service(self, token: str) -> str:
        """The name of the calling service. Raise `Unauthenticated`."""
        return verify_service_token(token, self._secret, self._service)


_service_bearer = HTTPBearer(auto_error=False, scheme_name="ServiceToken")


class _UserBearer(HTTPBearer):
    """The scheme of users' tokens. What a route depends on is the scheme itself: FastAPI looks at each dependency's own
    dependencies at each request, and this is what nearly all routes have."""

    def __init__(self) -> None:
        description = "The `access` token of login"
        super().__init__(auto_error=False, bearerFormat="JWT", scheme_name=HTTPBearer.__name__, description=description)


def _authenticator(connection: HTTPConnection) -> Authenticator:
    authenticator: Authenticator = connection.app.state.platform.authenticator
    return authenticator


async def user_of(connection: HTTPConnection, bearer: HTTPAuthorizationCredentials | None) -> User:
    """Raise what `Authenticator.user` raises, and `Unauthenticated` where no token was sent."""
    if bearer is None:
        raise Unauthenticated("An access token is needed: Authorization: Bearer …")
    return await _authenticator(connection).user(bearer.credentials)


class Caller(_UserBearer):
    """A dependency: the current user, if their role is one of `roles`, else `Forbidden`; with no roles, anyone who is
    logged in.

    In calls that change something they are `acting`: an admin only if accounts says that they still are one. Raises
    `Unavailable` where it can't say: what an admin may do, a stolen token must not.
    """

    def __init__(self, *roles: str, acting: bool = False) -> None:
        super().__init__()
        self._roles, self._acting = roles, acting

    async def __call__(self, connection: HTTPConnection) -> User:  # type: ignore[override]
        user = await user_of(connection, await super().__call__(connection))
        if self._roles and user.role not in self._roles:
            raise Forbidden(f"This is for {' and '.join(self._roles)} accounts; yours is {user.role}.")
        if self._acting and user.is_admin:
            platform = connection.app.state.platform
            if await platform.internal.find("accounts", f"/internal/admins/{user.id}/{user.session_id}/") is None:
                raise invalid_token("This login has been ended.")
        return user


class MaybeUser:
    """Of a call for anyone, where it only sometimes matters who it is: a token is looked at when it does."""

    def __init__(self, connection: HTTPConnection, bearer: HTTPAuthorizationCredentials | None) -> None:
        self._connection, self._bearer = connection, bearer

    async def user(self) -> User | None:
        """None for who does not say; raises what `Authenticator.user` raises for who says it wrongly."""
        return await user_of(self._connection, self._bearer) if self._bearer else None


class _AnyCaller(_UserBearer):
    async def __call__(self, connection: HTTPConnection) -> MaybeUser:  # type: ignore[override]
        return MaybeUser(connection, await super().__call__(connection))


Anyone = Annotated[MaybeUser, Depends(_AnyCaller())]
TOKEN_OPTIONAL: dict[str, Any] = {"security": [{}]}
"""The `openapi_extra=` of a route for `Anyone`."""

CurrentUser = Annotated[User, Depends(Caller())]
Client = Annotated[User, Depends(Caller("client"))]
Worker = Annotated[User, Depends(Caller("worker"))]
Admin = Annotated[User, Depends(Caller("admin"))]
ActingAdmin = Annotated[User, Depends(Caller("admin", acting=True))]
ActingUser = Annotated[User, Depends(Caller("client", "worker", "admin", acting=True))]
ActingWorkerOrAdmin = Annotated[User, Depends(Caller("worker", "admin", acting=True))]


async def calling_service(
    connection: HTTPConnection, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_service_bearer)]
) -> str:
    if bearer is None:
        raise Unauthenticated("A service token is needed.")
    return _authenticator(connection).service(bearer.credentials)


CallingService = Annotated[str, Depends(calling_service)]
