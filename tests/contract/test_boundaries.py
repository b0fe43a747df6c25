"""The rules of who may import whom hold, and forget no service."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from marketplace.registry import SERVICES

ROOT = Path(__file__).parents[2]
PACKAGES = {f"services.{path.parent.name}" for path in (ROOT / "services").glob("*/app.py")}


def contracts(kind: str) -> list[dict[str, Any]]:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [contract for contract in configured if contract["type"] == kind]


def test_the_rules_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_every_service_has_a_folder_and_every_folder_is_a_service() -> None:
    assert {f"services.{service}" for service in SERVICES} == PACKAGES


def test_no_service_may_import_another() -> None:
    (contract,) = contracts("independence")
    assert {*contract["modules"]} == PACKAGES


def test_the_rooms_of_every_service_are_in_order() -> None:
    rooms = next(contract for contract in contracts("layers") if "containers" in contract)

    assert {*rooms["containers"]} == PACKAGES
    floor = {room.strip("() "): number for number, layer in enumerate(rooms["layers"]) for room in layer.split("|")}
    assert floor["app"] < floor["api"] == floor["events"] < floor["service"] == floor["schemas"]
    assert floor["service"] < floor["repo"] < floor["models"] < floor["domain"] == floor["config"]


def test_the_whole_is_in_order() -> None:
    whole = next(contract for contract in contracts("layers") if "containers" not in contract)
    assert whole["layers"] == ["marketplace", "gateway | services", "shared"]


@pytest.mark.parametrize(
    ("source", "forbidden"),
    [
        (
            {f"{package}.domain" for package in PACKAGES} | {"services.payments.ledger"},
            {"fastapi", "starlette", "pydantic", "sqlalchemy", "sqlmodel", "aio_pika", "httpx", "shared"},
        ),
        ({"gateway"}, {"sqlalchemy", "sqlmodel", "psycopg", "aio_pika", "shared.db", "shared.messaging"}),
        (
            {"shared.contracts"},
            {"gateway", "services", "marketplace", *(f"shared.{room}" for room in ("auth", "db", "http", "messaging"))},
        ),
    ],
    ids=["domain", "gateway", "contracts"],
)
def test_what_must_stay_pure_is_kept_from_what_would_taint_it(source: set[str], forbidden: set[str]) -> None:
    (rule,) = [contract for contract in contracts("forbidden") if {*contract["source_modules"]} == source]
    assert {*rule["forbidden_modules"]} >= forbidden


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_service_has_the_rooms_that_the_rules_speak_of(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    assert {path.stem for path in folder.iterdir()} >= {
        "app",
        "api",
        "config",
        "domain",
        "events",
        "models",
        "repo",
        "schemas",
        "service",
    }
