from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from shared.config import CommaSeparated, Duration, ServiceSettings, weak_secret


class PaymentsSettings(ServiceSettings):
    """The fake gateway answers at once; production takes it only with `ALLOW_FAKE_PAYMENTS=true`."""

    payment_gateway: Literal["fake", "live"] = "fake"
    allow_fake_payments: bool = False
    fake_gateway_success_rate: float = Field(default=0.8, ge=0, le=1)
    fake_gateway_seed: int | None = None

    payable_from: Literal["pending", "assigned"] = "pending"
    payment_attempt_ttl: Duration = timedelta(hours=2)
    """Age at which an attempt that nobody has touched ends."""
    commission_rate: Decimal = Field(default=Decimal("0.10"), ge=0, le=1, decimal_places=4)
    escrow_hold: Duration = timedelta(hours=72)
    """For which the money stays after the order is both completed and paid."""

    payme_merchant_id: str = ""
    payme_key: SecretStr = SecretStr("")
    payme_test_key: SecretStr = SecretStr("")
    """The sandbox's, by which no money moves: production refuses it."""
    payme_login: str = "Paycom"
    payme_checkout_url: str = "https://checkout.paycom.uz"
    """The Subscribe API is at `/api` below it."""
    payme_busy_code: int = Field(default=-31008, ge=-31099, le=-31000)
    """What a second transaction on an order is answered: Payme's documents disagree."""
    payme_allowed_ips: CommaSeparated = ()
    """Addresses and networks that Payme may call from; where none is named, anyone who has the key may."""
    click_service_id: int | None = None
    click_merchant_id: int | None = None
    click_merchant_user_id: int | None = None
    click_secret_key: SecretStr | None = None
    click_checkout_url: str | None = None
    click_api_url: str | None = None
    """Of the Merchant API; like the pay page, Click's own unless given."""
    click_allowed_ips: CommaSeparated = ()
    """Addresses or networks from which Click may call; anyone's, if there are none."""

    payments_log_file: Path | None = None
    """What happens to money, also here: ids and amounts, a JSON line each."""

    timers_every: Duration = timedelta(seconds=5)
    """How often attempts that end and escrow that is due are looked for, beside being woken."""
    reconcile_every: Duration = timedelta(seconds=20)
    reconcile_after: Duration = timedelta(seconds=30)
    """Age at which an attempt or a refund without an outcome is asked about."""
    void_after: Duration = timedelta(minutes=2)
    """Age at which a charge that the provider has never heard of is voided there, and then failed here."""

    @field_validator("payme_allowed_ips", "click_allowed_ips")
    @classmethod
    def _are_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            ip_network(text)
        return texts

    def unsafe(self) -> list[tuple[str, str]]:
        found = super().unsafe()
        if self.payment_gateway == "fake" and not self.allow_fake_payments:
            found.append(("PAYMENT_GATEWAY", "is the fake one; ALLOW_FAKE_PAYMENTS=true allows it"))
        if self.payment_gateway == "live" and not self.payme_merchant_id and self.click_service_id is None:
            found.append(("PAYMENT_GATEWAY", "is live, and no provider is configured"))
        return found + self._unsafe_payme() + self._unsafe_click()

    def _unsafe_click(self) -> list[tuple[str, str]]:
        names = ("click_service_id", "click_merchant_id", "click_merchant_user_id", "click_secret_key")
        given = [name for name in names if getattr(self, name)]
        # Half an account would be none, and Click's calls would all be refused.
        found = [(name.upper(), "is missing beside other CLICK_ settings") for name in names if name not in given]
        found = found if given else []
        for name in ("click_checkout_url", "click_api_url"):
            if not (getattr(self, name) or "https://").startswith("https://"):
                found.append((name.upper(), "must begin with https://"))
        return found

    def _unsafe_payme(self) -> list[tuple[str, str]]:
        found = []
        if self.payme_test_key.get_secret_value():
            found.append(("PAYME_TEST_KEY", "is the sandbox's, and whoever holds it could pay without money"))
        if self.payme_merchant_id:
            found.extend(weak_secret("PAYME_KEY", self.payme_key))
        elif self.payme_key.get_secret_value():
            found.append(("PAYME_MERCHANT_ID", "is missing beside PAYME_KEY"))
        if not self.payme_checkout_url.startswith("https://"):
            found.append(("PAYME_CHECKOUT_URL", "must be https"))
        return found
