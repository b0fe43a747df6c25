"""Settings that every process has, and the refusal to start with unsafe ones.

Settings come from the environment or `.env`; the names are those of the README's table. Any name may be given as
`NAME_FILE`, the path of a file that holds the value (a container's secret); an empty file is no value.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from shared.origins import Origin, origins_of

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> object:
    """`"500ms"`, `"30s"`, `"10m"`, `"24h"`, `"7d"` → timedelta; anything else is left for pydantic to judge."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", value)):
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    return value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Durations = Annotated[
    tuple[timedelta, ...],
    NoDecode,
    BeforeValidator(lambda value: [parse_duration(part) for part in v] if isinstance(v := _split(value), list) else v),
]
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class UnsafeSetting(Exception):
    """A setting that production refuses; the message names the setting and never its value.

    No `ValueError`: pydantic would wrap it, and show the settings it was found among.
    """


class _FileSource(PydanticBaseSettingsSource):
    """`NAME_FILE=/run/secrets/x` stands for `NAME=<what the file holds>`."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        name = f"{field_name.upper()}_FILE"
        if not (path := os.environ.get(name)):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None, field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise UnsafeSetting(f"{name}: the file can't be read") from error

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class ProcessSettings(BaseSettings):
    """What gateway and services have in common."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    env: Literal["development", "production"] = "production"
    debug: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    otel_exporter_otlp_endpoint: str = ""
    """Where traces go, over OTLP and HTTP, as `http://collector:4318`; empty makes none."""
    public_url: str = "http://localhost:8000"
    """What clients call the gateway, and where the pages are that links lead to."""
    allowed_origins: CommaSeparated = ()
    """Beside that of `PUBLIC_URL`, origins of pages that may open a WebSocket, and that a payer may be sent back to."""
    cors_origins: CommaSeparated = ()
    rate_limit_scale: float = Field(default=1, gt=0)

    accounts_url: str = "http://localhost:8001"
    catalog_url: str = "http://localhost:8002"
    orders_url: str = "http://localhost:8003"
    payments_url: str = "http://localhost:8004"
    notifications_url: str = "http://localhost:8005"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls), dotenv_settings

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        if self.env == "production":
            for name, problem in self.unsafe():
                raise UnsafeSetting(f"{name}: {problem} (refused with ENV=production)")
        return self

    @property
    def page_origins(self) -> frozenset[Origin]:
        return origins_of(self.public_url, *self.allowed_origins)

    def unsafe(self) -> list[tuple[str, str]]:
        """(setting, what is wrong with it) for each that must not reach production. A subclass adds its own."""
        found = []
        if self.debug:
            found.append(("DEBUG", "must be false"))
        if "*" in self.cors_origins:
            found.append(("CORS_ORIGINS", "must name origins, not *"))
        return found


DEVELOPMENT_SECRET = SecretStr("dev-secret-that-everybody-knows-and-production-refuses")


class ServiceSettings(ProcessSettings):
    """What the five services have in common. Durations take a unit: `500ms`, `5s`, `10m`, `24h`."""

    database_url: str = ""
    rabbitmq_url: str | None = None
    internal_secret: SecretStr = DEVELOPMENT_SECRET

    require_confirmed_email: bool = False

    db_parameters: ClassVar[Mapping[str, str]] = {}
    """Parameters of PostgreSQL for each of the service's connections."""

    token_issuer: str = "marketplace"  # noqa: S105 - a name, no secret
    jwks_max_age: Duration = timedelta(seconds=300)
    jwks_retry_after: Duration = timedelta(seconds=30)
    internal_timeout: Duration = timedelta(milliseconds=500)

    retry_delays: Durations = tuple(timedelta(seconds=s) for s in (1, 5, 30, 120, 600))
    revocation_sweep: Duration = timedelta(seconds=5)
    relay_poll: Duration = timedelta(milliseconds=500)
    inbox_poll: Duration = timedelta(milliseconds=500)
    relay_back_off: Duration = timedelta(milliseconds=500)
    relay_back_off_max: Duration = timedelta(seconds=4)
    publish_timeout: Duration = timedelta(seconds=5)
    reconnect_delay: Duration = timedelta(seconds=1)
    database_retry: Duration = timedelta(seconds=1)

    db_pool_size: int = Field(default=10, ge=1)
    db_pool_timeout: Duration = timedelta(seconds=2)
    db_statement_timeout: Duration = timedelta(seconds=5)
    db_lock_timeout: Duration = timedelta(seconds=2)

    def unsafe(self) -> list[tuple[str, str]]:
        found = super().unsafe()
        if not self.database_url:
            found.append(("DATABASE_URL", "is missing"))
        elif problem := _weak_login(self.database_url):
            found.append(("DATABASE_URL", problem))
        if not self.rabbitmq_url:
            found.append(("RABBITMQ_URL", "is missing"))
        elif urlsplit(self.rabbitmq_url).username in (None, "guest"):
            found.append(("RABBITMQ_URL", "must not use the guest account"))
        elif problem := _weak_login(self.rabbitmq_url):
            found.append(("RABBITMQ_URL", problem))
        found.extend(weak_secret("INTERNAL_SECRET", self.internal_secret))
        return found


def weak_secret(name: str, secret: SecretStr) -> list[tuple[str, str]]:
    """What is wrong with a secret, as `ProcessSettings.unsafe` lists it: missing, short, or a well-known value."""
    value = secret.get_secret_value()
    if not value or secret == DEVELOPMENT_SECRET:
        return [(name, "is missing")]
    if len(value) < 32 or len(set(value)) < 8 or value.startswith(("change", "demo", "dev-", "test-")):
        return [(name, "must be a random value of at least 32 characters")]
    return []


def _weak_login(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.username and parts.username == parts.password:
        return "has a password that equals its user"
    return None
