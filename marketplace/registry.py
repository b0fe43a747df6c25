"""The processes of the marketplace by name, imported when asked for: a container holds only its own."""

from importlib import import_module
from typing import Any, cast

from shared.config import ProcessSettings, ServiceSettings

SERVICES = ("accounts", "catalog", "orders", "payments", "notifications")


def service_settings(service: str, **overrides: Any) -> ServiceSettings:
    """The service's settings from the environment. Raises `UnsafeSetting`, or pydantic's `ValidationError`."""
    module = import_module(f"services.{service}.config")
    settings: ServiceSettings = getattr(module, f"{service.title()}Settings")(**overrides)
    return settings


def service_app(service: str, settings: ServiceSettings, bus: Any = None) -> Any:
    return import_module(f"services.{service}.app").create_app(settings, bus)


def service_metadata(service: str) -> Any:
    return import_module(f"services.{service}.models").Base.metadata


def gateway_settings(**overrides: Any) -> ProcessSettings:
    return cast(ProcessSettings, import_module("gateway.config").GatewaySettings(**overrides))


def gateway_app(settings: ProcessSettings) -> Any:
    return import_module("gateway.app").create_app(settings)


def gateway_operations(settings: Any) -> dict[int, Any]:
    """What the gateway tells an operator, by its port: never on the public one."""
    return {settings.operations_port: import_module("gateway.app").create_operations_app()}
