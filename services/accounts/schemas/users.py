"""Users and logins."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StrictBool, StringConstraints

from services.accounts.domain import Language, Role
from shared.contracts.accounts import DEFAULT_LANGUAGE
from shared.http.types import STORABLE, Input, Line, Phone, storable

Password = Annotated[str, StringConstraints(min_length=8, max_length=128)]
GivenPassword = Annotated[str, StringConstraints(max_length=128)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
GivenEmail = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=320), AfterValidator(storable), STORABLE
]
"""Whatever was typed: an address that is none is as unknown as any other."""


class RegisterIn(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "dilnoza@example.com",
                    "password": "a sentence of my own",
                    "full_name": "Dilnoza Karimova",
                    "role": "client",
                    "phone": "+998901234567",
                    "language": "uz",
                }
            ]
        }
    )

    email: EmailStr
    password: Password
    full_name: Line
    role: Literal[Role.CLIENT, Role.WORKER]
    phone: Phone | None = None
    language: Language = Language(DEFAULT_LANGUAGE)


class LoginIn(Input):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "client@example.com", "password": "marketplace-demo"}]}
    )

    email: GivenEmail
    password: GivenPassword


class RefreshIn(Input):
    refresh: Token


class PasswordIn(Input):
    current_password: GivenPassword
    new_password: Password


class ResetIn(Input):
    email: GivenEmail


class ConfirmResetIn(Input):
    token: Token = Field(description="From the mailed link")
    new_password: Password


class ConfirmEmailIn(Input):
    token: Token = Field(description="From the mailed link")


class UserIn(Input):
    """Everything a user may set."""

    full_name: Line
    phone: Phone | None = None
    language: Language = Language(DEFAULT_LANGUAGE)
    is_active: StrictBool | None = Field(default=None, description="Only an admin changes it; without it, it stays")

    def values(self) -> dict[str, object]:
        return self.model_dump(exclude={"is_active"} if self.is_active is None else None)


class UserPatch(Input):
    """What is to change."""

    full_name: Line | None = None
    phone: Phone | None = None
    language: Language | None = None
    is_active: StrictBool | None = Field(default=None, description="Only an admin changes it")

    def values(self) -> dict[str, object]:
        """What was given; null forgets a phone, and is nothing anywhere else."""
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name == "phone"}


class UserFilters(BaseModel):
    role: Role | None = None
    active: bool | None = Field(default=None, description="false: banned ones")
    search: Annotated[str, Field(max_length=200, description="Beginnings of words of name, e-mail or phone")] | None = (
        None
    )


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str = Field(examples=["dilnoza@example.com"])
    email_confirmed: bool
    full_name: str = Field(examples=["Dilnoza Karimova"])
    role: Role
    phone: str | None = Field(examples=["+998901234567"])
    language: Language
    is_active: bool
    version: int
    created_at: datetime
    updated_at: datetime


class LoginOut(BaseModel):
    user: UserOut
    access: str = Field(description="Bearer token for every call", examples=["eyJhbGciOiJFZERTQSJ9…"])
    refresh: str = Field(description="Good for one call of refresh", examples=["pW3q…"])
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int = Field(description="Seconds that `access` lives", examples=[600])


class SessionOut(BaseModel):
    """A device that is logged in."""

    id: UUID
    address: str | None
    agent: str | None
    created_at: datetime
    last_used_at: datetime
    is_current: bool = Field(description="Whether this call came by it")


class ExportOut(BaseModel):
    """Everything the platform holds of a user; each part as its service keeps it."""

    model_config = ConfigDict(extra="allow")

    exported_at: datetime
    user: dict[str, object]
    worker_profile: dict[str, object] | None
    sessions: list[dict[str, object]]
    services: list[dict[str, object]]
    orders: list[dict[str, object]]
    payments: list[dict[str, object]]
    notifications: list[dict[str, object]]
