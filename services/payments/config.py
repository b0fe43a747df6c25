from datetime import timedelta
from typing import Literal

from pydantic import Field

from shared.config import Duration, ServiceSettings


class PaymentsSettings(ServiceSettings):
    """The fake gateway answers at once; production takes it only with `ALLOW_FAKE_PAYMENTS=true`."""

    payment_gateway: Literal["fake"] = "fake"
    allow_fake_payments: bool = False
    fake_gateway_success_rate: float = Field(default=0.8, ge=0, le=1)
    fake_gateway_seed: int | None = None
    reconcile_every: Duration = timedelta(seconds=20)
    reconcile_after: Duration = timedelta(seconds=30)
    """Age at which an attempt without an outcome is asked about."""
    void_after: Duration = timedelta(minutes=2)
    """Age at which a charge that the provider has never heard of is voided there, and then failed here."""

    def unsafe(self) -> list[tuple[str, str]]:
        found = super().unsafe()
        if self.payment_gateway == "fake" and not self.allow_fake_payments:
            found.append(("PAYMENT_GATEWAY", "is the fake one; ALLOW_FAKE_PAYMENTS=true allows it"))
        return found
