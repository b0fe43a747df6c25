from datetime import timedelta

from pydantic import ByteSize, Field, field_validator

from shared.addresses import parse_networks
from shared.config import CommaSeparated, Duration, ProcessSettings
from shared.origins import origin_of


class GatewaySettings(ProcessSettings):
    """How long and how much the gateway waits for others. Durations take a unit: `500ms`, `5s`."""

    operations_port: int = 8009

    upstream_connections: int = Field(default=50, ge=1)
    upstream_connect_timeout: Duration = timedelta(seconds=1)
    upstream_timeout: Duration = timedelta(seconds=10)
    # Shorter than the 75 s after which a service closes an idle connection: else a request can meet the close halfway.
    upstream_keep_alive: Duration = timedelta(seconds=3)

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

    def upstream_url(self, service: str) -> str:
        """Where `service` listens, without a slash at the end."""
        urls: str = getattr(self, f"{service}_url")
        return urls.split(",")[0].strip().rstrip("/")
