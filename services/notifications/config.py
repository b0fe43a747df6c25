from datetime import timedelta

from shared.config import Duration, ServiceSettings


class NotificationsSettings(ServiceSettings):
    """`SOCKET_SWEEP` is how often a socket looks for what a lost wake-up kept from it."""

    socket_auth_timeout: Duration = timedelta(seconds=5)
    socket_sweep: Duration = timedelta(seconds=5)
