"""What goes in and out of accounts over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints

from services.accounts.domain import Language, Role
from shared.http.types import Input, Line, Phone, storable

Password = Annotated[str, StringConstraints(min_length=8, max_length=128)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RegisterIn(Input):
    email: EmailStr
    password: Password
    full_name: Line
    role: Literal[Role.CLIENT, Role.WORKER]
    phone: Phone | None = None
    language: Language = Language.UZ


class LoginIn(Input):
    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=320), AfterValidator(storable)]
    password: Annotated[str, StringConstraints(max_length=128)]


class RefreshIn(Input):
    refresh: Token


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    full_name: str
    role: Role
    phone: str | None
    language: Language
    is_active: bool
    version: int
    created_at: datetime


class LoginOut(BaseModel):
    user: UserOut
    access: str = Field(description="Bearer token for every call")
    refresh: str = Field(description="Good for one call of refresh")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int = Field(description="Seconds that `access` lives")
