"""A process that can't start says why in one line, and ends with a code that tells whose fault it is."""

import os
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from gateway.routes import SERVICES as ROUTED
from marketplace.errors import BAD_CONFIGURATION, CannotStart, in_one_line
from marketplace.registry import SERVICES, gateway_settings, service_metadata, service_settings
from marketplace.serve import serve
from shared.config import ProcessSettings, ServiceSettings
from shared.contracts import LISTENERS


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {name.upper() for service in SERVICES for name in settings_class(service).model_fields}
    for name in names & {*os.environ}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def settings_class(service: str) -> type[ServiceSettings]:
    return type(service_settings(service, env="development"))


def test_an_error_of_a_setting_is_one_line_with_its_name_and_without_its_value() -> None:
    with pytest.raises(CannotStart) as error:
        service_settings("orders", env="development", db_pool_size="hunter2", relay_poll="hunter2")

    line = str(error.value)
    assert line.startswith(("orders: DB_POOL_SIZE: ", "orders: RELAY_POLL: "))
    assert "hunter2" not in line
    assert "\n" not in line


def test_an_error_in_a_list_names_its_place() -> None:
    class Settings(BaseModel):
        ports: list[int]

    with pytest.raises(ValidationError) as error:
        Settings.model_validate({"ports": [1, "x"]})
    assert in_one_line(error.value).startswith("PORTS.1: ")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_without_settings_ends_with_the_code_of_a_bad_configuration(service: str) -> None:
    with pytest.raises(CannotStart, match=rf"^{service}: DATABASE_URL: is missing") as ended:
        serve(service, "127.0.0.1", 0)
    assert ended.value.code == BAD_CONFIGURATION == 78


@pytest.mark.parametrize(
    ("name", "value"),
    [("DB_POOL_SIZE", "hunter2"), ("ENV", "hunter2"), ("RETRY_DELAYS", "hunter2"), ("INTERNAL_SECRET", "hunter2")],
)
def test_a_setting_that_can_not_be_taken_ends_it_too_and_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://orders:kF8d2Lq@db/orders")
    monkeypatch.setenv("RABBITMQ_URL", "amqp://marketplace:zP4m9Xw@mq/")
    monkeypatch.setenv(name, value)

    with pytest.raises(CannotStart, match=rf"^orders: {name}") as ended:
        serve("orders", "127.0.0.1", 0)
    assert ended.value.code == BAD_CONFIGURATION
    assert "hunter2" not in str(ended.value)


def test_a_file_of_a_secret_that_is_not_there_ends_it_too_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERNAL_SECRET_FILE", "/nowhere/internal-secret")

    with pytest.raises(CannotStart, match="INTERNAL_SECRET_FILE") as ended:
        serve("orders", "127.0.0.1", 0)
    assert ended.value.code == BAD_CONFIGURATION


def test_registry_gateway_and_listeners_know_the_same_services() -> None:
    assert {*SERVICES} == {*ROUTED}
    assert {service for services in LISTENERS.values() for service in services} <= {*SERVICES}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_found_by_its_name(service: str) -> None:
    assert isinstance(service_settings(service, env="development"), ServiceSettings)
    assert service_metadata(service).tables


def test_no_two_services_share_their_tables() -> None:
    assert len({id(service_metadata(service)) for service in SERVICES}) == len(SERVICES)


def test_the_gateway_knows_the_address_of_every_service_and_no_secret() -> None:
    settings = gateway_settings(env="development")

    assert all(getattr(settings, f"{service}_url") for service in SERVICES)
    assert isinstance(settings, ProcessSettings)
    assert not [name for name in type(settings).model_fields if "secret" in name or "database" in name]
