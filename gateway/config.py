from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, ByteSize, Field, field_validator
from pydantic_settings import NoDecode

from gateway.breaker import BreakerSettings
from gateway.routes import ROUTES, Route, parse_routes
from shared.addresses import parse_networks
from shared.config import CommaSeparated, Duration, ProcessSettings
from shared.http.limits import IDLE
from shared.origins import origin_of


def _routes(value: object) -> object:
    return parse_routes(value) if isinstance(value, str) else value


class GatewaySettings(ProcessSettings):
    """How long and how much the gateway waits for others. Durations take a unit: `500ms`, `5s`."""

    operations_port: int = 8009

    routes: Annotated[tuple[Route, ...], NoDecode, BeforeValidator(_routes)] = ROUTES
    """Written as `/api/auth/=accounts,/media/=catalog`."""

    max_body_size: int = Field(default=10 * 2**20, ge=1)
    """Bytes of a request's body; pictures are the largest, at 8 MiB."""
    client_send_timeout: Duration = timedelta(seconds=30)
    """For a client to take what it was sent, before it loses its place among an upstream's connections."""

    upstream_connections: int = Field(default=50, ge=1)
    upstream_sockets: int = Field(default=20_000, ge=1)
    upstream_connect_timeout: Duration = timedelta(seconds=1)
    upstream_timeout: Duration = timedelta(seconds=10)
    # Shorter than a service that is being stopped waits for a request: else one can meet the close halfway.
    upstream_keep_alive: Duration = timedelta(seconds=IDLE)
    upstream_refresh: Duration = timedelta(seconds=5)
    """How often the names of services are looked up anew."""

    breaker_failures: int = Field(default=5, ge=1)
    breaker_pause: Duration = timedelta(seconds=5)
    breaker_pause_max: Duration = timedelta(seconds=30)

    socket_max_size: int = Field(default=2**20, ge=1)
    socket_ping_interval: Duration = timedelta(seconds=20)

    schema_max_age: Duration = timedelta(seconds=60)
    schema_retry_after: Duration = timedelta(seconds=5)

    allowed_hosts: CommaSeparated = ("localhost", "127.0.0.1", "[::1]")
    """Names, beside that of `PUBLIC_URL`, that requests may be for."""
    trusted_proxies: CommaSeparated = ()
    """Addresses and networks of proxies in front of us, which are believed in what they say of their clients."""

    gateway_instances: int = Field(default=1, ge=1)
    """Of which each grants its share of every limit."""
    sockets_per_address: int = Field(default=200, ge=1)
    """Open at once. A mobile network or an office shares one address."""
    payme_allowed_ips: CommaSeparated = ()
    click_allowed_ips: CommaSeparated = ()
    """Addresses and networks of the providers, whose calls no limit meets."""

    token_issuer: str = "marketplace"  # noqa: S105 - a name, no secret
    jwks_max_age: Duration = timedelta(seconds=300)
    jwks_retry_after: Duration = timedelta(seconds=30)

    cache_size: ByteSize = ByteSize(64 * 2**20)
    """Of public answers that are kept in memory; 0 keeps none."""

    @field_validator("trusted_proxies", "payme_allowed_ips", "click_allowed_ips")
    @classmethod
    def _are_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        parse_networks(texts)
        return texts

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [text for text in texts if text != "*" and origin_of(text) is None]:
            raise ValueError(f"no origins of pages: {', '.join(wrong)}")
        return texts

    def upstream_urls(self, service: str) -> list[str]:
        """Where instances of `service` listen, without a slash at the end."""
        urls: str = getattr(self, f"{service}_url")
        return [url.strip().rstrip("/") for url in urls.split(",") if url.strip()]

    @property
    def breaker(self) -> BreakerSettings:
        pauses = self.breaker_pause.total_seconds(), self.breaker_pause_max.total_seconds()
        return BreakerSettings(self.breaker_failures, *pauses)
