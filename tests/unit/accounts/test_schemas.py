"""What opens an account, and what logs in to it."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.accounts.schemas.users import LoginIn, RegisterIn, UserOut


def form(**changed: Any) -> dict[str, Any]:
    return {"email": "a@example.com", "password": "long enough", "full_name": "Ali", "role": "client", **changed}


@pytest.mark.parametrize("role", ["client", "worker"])
def test_one_registers_as_client_or_worker(role: str) -> None:
    assert RegisterIn.model_validate(form(role=role)).role == role


@pytest.mark.parametrize("role", ["admin", "ADMIN", "system", "", None, ["admin"]])
def test_nobody_registers_as_anything_else(role: object) -> None:
    with pytest.raises(ValidationError):
        RegisterIn.model_validate(form(role=role))


@pytest.mark.parametrize("field", ["is_active", "version", "id", "email_confirmed"])
def test_an_account_is_opened_with_nothing_else(field: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        RegisterIn.model_validate(form(**{field: True}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("password", "7 chars"),
        ("password", "x" * 129),
        ("full_name", "   "),
        ("full_name", "nul\x00"),
        ("phone", "90 123 45"),
        ("language", "de"),
    ],
)
def test_what_can_not_be_kept_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RegisterIn.model_validate(form(**{field: value}))
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_whoever_could_register_can_log_in_also_with_the_longest_address() -> None:
    longest = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 50}.example"
    registered = RegisterIn.model_validate(form(email=longest))

    login = LoginIn.model_validate({"email": registered.email, "password": registered.password})

    assert login.email == longest


def test_what_is_shown_of_a_user_holds_no_credential() -> None:
    assert not {"password", "password_hash", "email_key"} & UserOut.model_fields.keys()
