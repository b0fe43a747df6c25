from datetime import timedelta

from pydantic import Field

from shared.config import Duration, ProcessSettings


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

    def upstream_url(self, service: str) -> str:
        """Where `service` listens, without a slash at the end."""
        urls: str = getattr(self, f"{service}_url")
        return urls.split(",")[0].strip().rstrip("/")
