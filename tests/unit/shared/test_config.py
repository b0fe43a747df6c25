"""Where settings come from, what they mean, and which of them production refuses."""

import json
import os
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config import GatewaySettings
from services.accounts.config import AccountsSettings
from services.catalog.config import CatalogSettings
from services.notifications.config import NotificationsSettings
from services.orders.config import OrdersSettings
from services.payments.config import PaymentsSettings
from services.payments.providers.click import account_of
from shared.config import CommaSeparated, Duration, Durations, ProcessSettings, ServiceSettings, UnsafeSetting

SECRET = "q8Zr1vW5xN0sT3uY7pK2mB6dF9gH4jLc"
SAFE: dict[str, Any] = {
    "env": "production",
    "database_url": "postgresql://orders:kF8d2Lq@db/orders",
    "rabbitmq_url": "amqp://marketplace:zP4m9Xw@mq/",
    "internal_secret": SECRET,
    "keys_secret": SECRET,
    "refresh_secret": SECRET,
    "allow_fake_payments": True,
}
SERVICES = [AccountsSettings, CatalogSettings, OrdersSettings, PaymentsSettings, NotificationsSettings]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {name.upper() for kind in (*SERVICES, GatewaySettings) for name in kind.model_fields}
    for name in os.environ:
        if name.upper() in names or name.upper().removesuffix("_FILE") in names:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(kind: type[ProcessSettings], **changed: Any) -> UnsafeSetting:
    with pytest.raises(UnsafeSetting) as refused:
        kind(**SAFE | changed)
    return refused.value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("10m", 600), ("24h", 86400), ("7d", 604800), ("1.5s", 1.5), (" 2 m ", 120)],
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert TypeAdapter(Duration).validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["ten minutes", "5 s s", "s", "", "-", "5w", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("https://a.example", ("https://a.example",)),
        ("https://a.example, https://b.example ,", ("https://a.example", "https://b.example")),
        ("", ()),
        (" , ", ()),
    ],
)
def test_a_list_is_separated_by_commas(text: str, values: tuple[str, ...]) -> None:
    assert TypeAdapter(CommaSeparated).validate_python(text) == values


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s,5s,30s,2m,10m", [1, 5, 30, 120, 600]), ("50ms , 1s", [0.05, 1]), ("", [])]
)
def test_the_retry_delays_are_durations_separated_by_commas(
    text: str, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRY_DELAYS", text)
    delays = ServiceSettings(env="development").retry_delays

    assert [delay.total_seconds() for delay in delays] == seconds


def test_the_retry_delays_are_the_promised_ones_where_nothing_is_said() -> None:
    delays = ServiceSettings(env="development").retry_delays
    assert [delay.total_seconds() for delay in delays] == [1, 5, 30, 120, 600]
    with pytest.raises(ValidationError):
        TypeAdapter(Durations).validate_python("1s,soon")


def test_settings_come_from_the_environment_and_lists_are_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV", "development")
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example,https://b.example")
    monkeypatch.setenv("RELAY_POLL", "250ms")
    monkeypatch.setenv("DB_POOL_SIZE", "7")
    settings = ServiceSettings()

    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.relay_poll == timedelta(milliseconds=250)
    assert settings.db_pool_size == 7


def test_settings_come_from_a_dotenv_file_and_the_environment_comes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("ENV=development\nLOG_LEVEL=DEBUG\nLOG_FORMAT=console\nUNKNOWN=1\n")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    settings = ProcessSettings()

    assert (settings.env, settings.log_level, settings.log_format) == ("development", "ERROR", "console")


def test_a_value_may_be_in_a_file_and_the_environment_comes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("INTERNAL_SECRET_FILE", str(tmp_path / "secret"))
    assert ServiceSettings(env="development").internal_secret.get_secret_value() == SECRET

    monkeypatch.setenv("INTERNAL_SECRET", "said aloud")
    assert ServiceSettings(env="development").internal_secret.get_secret_value() == "said aloud"


def test_any_name_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("1s,2s")
    monkeypatch.setenv("RETRY_DELAYS_FILE", str(tmp_path / "value"))

    assert ServiceSettings(env="development").retry_delays == (timedelta(seconds=1), timedelta(seconds=2))


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_an_empty_file_is_no_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "value").write_text(text)
    monkeypatch.setenv("RETRY_DELAYS_FILE", str(tmp_path / "value"))
    monkeypatch.setenv("INTERNAL_SECRET_FILE", str(tmp_path / "value"))

    by_default = ServiceSettings.model_fields
    settings = ServiceSettings(env="development")
    assert settings.retry_delays == by_default["retry_delays"].default
    assert settings.internal_secret == by_default["internal_secret"].default


def test_who_says_nothing_gets_production() -> None:
    assert ProcessSettings().env == "production"
    with pytest.raises(UnsafeSetting):
        ServiceSettings()


@pytest.mark.parametrize("kind", [*SERVICES, GatewaySettings])
def test_production_takes_safe_settings(kind: type[ProcessSettings]) -> None:
    assert kind(**SAFE).env == "production"


UNSAFE = [
    (ServiceSettings, "DEBUG", True),
    (GatewaySettings, "DEBUG", True),
    (ServiceSettings, "CORS_ORIGINS", "*"),
    (GatewaySettings, "CORS_ORIGINS", "https://a.example,*"),
    (ServiceSettings, "DATABASE_URL", ""),
    (ServiceSettings, "DATABASE_URL", "postgresql://hushhush:hushhush@db/orders"),
    (ServiceSettings, "RABBITMQ_URL", None),
    (ServiceSettings, "RABBITMQ_URL", ""),
    (ServiceSettings, "RABBITMQ_URL", "amqp://guest:kF8d2Lq@mq/"),
    (ServiceSettings, "RABBITMQ_URL", "amqp://mq/"),
    (ServiceSettings, "RABBITMQ_URL", "amqp://hushhush:hushhush@mq/"),
    *(
        (kind, name, value)
        for kind, name in [
            (ServiceSettings, "INTERNAL_SECRET"),
            (AccountsSettings, "KEYS_SECRET"),
            (AccountsSettings, "REFRESH_SECRET"),
        ]
        for value in [
            "",
            SECRET[:31],
            "hushhush" * 8,
            "x" * 64,
            f"change-me-{SECRET}",
            f"demo-{SECRET}",
            f"dev-{SECRET}",
            f"test-{SECRET}",
        ]
    ),
    (PaymentsSettings, "ALLOW_FAKE_PAYMENTS", False),
    (PaymentsSettings, "PAYME_TEST_KEY", SECRET),
]
PAYME = {"payment_gateway": "live", "payme_merchant_id": "5f1d9d2a4b3c2d1e0f9a8b7c", "payme_key": SECRET}


@pytest.mark.parametrize(("kind", "name", "value"), UNSAFE)
def test_production_refuses_an_unsafe_setting_by_name_and_never_shows_its_value(
    kind: type[ProcessSettings], name: str, value: Any
) -> None:
    error = refusal(kind, **{name.lower(): value})
    shown = "".join(traceback.format_exception(error))

    assert name in str(error).split(" (refused")[0]
    secrets = [
        SECRET,
        "hushhush",
        "kF8d2Lq",
        "zP4m9Xw",
        *([value] if isinstance(value, str) and len(value) > 9 else []),
    ]
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize(("kind", "name", "value"), UNSAFE)
def test_development_takes_the_same_setting(kind: type[ProcessSettings], name: str, value: Any) -> None:
    assert kind(**SAFE | {"env": "development", name.lower(): value}).env == "development"


@pytest.mark.parametrize("kind", SERVICES)
def test_each_service_refuses_what_any_service_refuses(kind: type[ServiceSettings]) -> None:
    assert str(refusal(kind, internal_secret="short")).startswith("INTERNAL_SECRET:")


def test_settings_do_not_change_and_do_not_show_their_secrets() -> None:
    settings = AccountsSettings(**SAFE)

    with pytest.raises(ValidationError):
        settings.debug = True  # type: ignore[misc]
    assert SECRET not in repr(settings) + json.dumps(settings.model_dump(mode="json", exclude={"database_url"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYME_KEY", ""),
        ("PAYME_KEY", "hushhush"),
        ("PAYME_CHECKOUT_URL", "http://checkout.paycom.uz"),
    ],
)
def test_production_takes_no_money_by_payme_without_what_that_needs(name: str, value: str) -> None:
    PaymentsSettings(**SAFE | PAYME)

    assert name in str(refusal(PaymentsSettings, **PAYME | {name.lower(): value})).split(" (refused")[0]


CLICK = {
    "payment_gateway": "live",
    "click_service_id": 777,
    "click_merchant_id": 5,
    "click_merchant_user_id": 6,
    "click_secret_key": "hush",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLICK_SERVICE_ID", None),
        ("CLICK_MERCHANT_ID", None),
        ("CLICK_MERCHANT_USER_ID", None),
        ("CLICK_SECRET_KEY", ""),
        ("CLICK_CHECKOUT_URL", "http://my.click.uz/services/pay"),
        ("CLICK_API_URL", "http://api.click.uz/v2/merchant"),
    ],
)
def test_production_takes_no_money_by_click_without_what_that_needs(name: str, value: str | None) -> None:
    assert account_of(PaymentsSettings(**SAFE | CLICK))

    error = refusal(PaymentsSettings, **CLICK | {name.lower(): value})

    assert name in str(refusal(PaymentsSettings, **CLICK | {"payment_gateway": "fake", name.lower(): value}))
    assert "hush" not in str(error)


def test_production_takes_no_money_without_a_provider() -> None:
    assert str(refusal(PaymentsSettings, payment_gateway="live")).startswith("PAYMENT_GATEWAY")


@pytest.mark.parametrize("given", ["click.uz", "203.0.113.7,10.0.0.0/33", "10.0.0.1/8"])
def test_what_is_no_address_is_refused_where_addresses_are_allowed(given: str) -> None:
    with pytest.raises(ValidationError):
        PaymentsSettings(env="development", click_allowed_ips=given)
    with pytest.raises(ValidationError):
        PaymentsSettings(env="development", payme_allowed_ips=given)
