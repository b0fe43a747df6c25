"""Every subscription of accounts: it listens to nothing yet."""

from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    """Accounts tells, and is not told."""
