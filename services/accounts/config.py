from datetime import timedelta

from pydantic import SecretStr

from shared.config import DEVELOPMENT_SECRET, Duration, ServiceSettings, weak_secret


class AccountsSettings(ServiceSettings):
    """`KEYS_SECRET` encrypts the signing keys at rest; `REFRESH_SECRET` makes a refresh token's successor, and the
    tokens of mailed links. A new signing key is published `KEY_LEAD` before it signs. `PUBLIC_URL` is where the pages
    are that mailed links lead to."""

    keys_secret: SecretStr = DEVELOPMENT_SECRET
    refresh_secret: SecretStr = DEVELOPMENT_SECRET
    access_token_ttl: Duration = timedelta(minutes=10)
    key_lead: Duration = timedelta(minutes=10)
    keys_reload: Duration = timedelta(seconds=5)

    def unsafe(self) -> list[tuple[str, str]]:
        own = weak_secret("KEYS_SECRET", self.keys_secret) + weak_secret("REFRESH_SECRET", self.refresh_secret)
        return super().unsafe() + own
