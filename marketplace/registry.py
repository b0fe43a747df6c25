"""The processes of the marketplace by name, imported when asked for: a container holds only its own."""

from importlib import import_module
from typing import Any, cast

from pydantic import ValidationError

from marketplace.errors import BAD_CONFIGURATION, CannotStart, in_one_line
from shared.config import ProcessSettings, ServiceSettings, UnsafeSetting

SERVICES = ("accounts", "catalog", "orders", "payments", "notifications")


def known(service: str) -> None:
    """Raise `CannotStart` unless there is such a service."""
    if service not in SERVICES:
        raise CannotStart(f"There is no service {service}: {', '.join(SERVICES)}", 2)


def service_settings(service: str, **overrides: Any) -> ServiceSettings:
    """The service's settings from the environment. Raises `CannotStart` with code 78."""
    module = import_module(f"services.{service}.config")
    return cast(ServiceSettings, _read(service, getattr(module, f"{service.title()}Settings"), overrides))


def service_app(service: str, settings: ServiceSettings, bus: Any = None) -> Any:
    return import_module(f"services.{service}.app").create_app(settings, bus)


def service_metadata(service: str) -> Any:
    return import_module(f"services.{service}.models").Base.metadata


def gateway_settings(**overrides: Any) -> ProcessSettings:
    """The gateway's settings from the environment. Raises `CannotStart` with code 78."""
    return _read("gateway", import_module("gateway.config").GatewaySettings, overrides)


def _read(name: str, settings: type[ProcessSettings], overrides: dict[str, Any]) -> ProcessSettings:
    try:
        return settings(**overrides)
    except UnsafeSetting as error:
        raise CannotStart(f"{name}: {error}", BAD_CONFIGURATION) from None
    except ValidationError as error:
        raise CannotStart(f"{name}: {in_one_line(error)}", BAD_CONFIGURATION) from None


def gateway_app(settings: ProcessSettings) -> Any:
    return import_module("gateway.app").create_app(settings)


def gateway_operations(settings: Any) -> dict[int, Any]:
    """What the gateway tells an operator, by its port: never on the public one."""
    return {settings.operations_port: import_module("gateway.app").create_operations_app()}
