"""What `make up` writes before the first start, and what it leaves alone at every later one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.registry import SERVICES

SCRIPT = Path(__file__).parents[2] / "deploy" / "make-env"
SECRETS = {
    *("keys_secret", "refresh_secret", "internal_secret", "rabbitmq_url", "rabbitmq_conf"),
    *(f"{service}_database_url" for service in SERVICES),
}
OPTIONAL = {"payme_key", "click_secret_key", "s3_secret_key", "smtp_url"}


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A folder with the script alone, as in a fresh clone."""
    shutil.copy(SCRIPT, tmp_path)
    return tmp_path


def make_env(deploy: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, deploy / "make-env"], capture_output=True, text=True, timeout=20)


def written(deploy: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (deploy / ".env", *(deploy / "secrets").iterdir())}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_fresh_deployment_has_secrets_of_its_own_that_nobody_else_reads(deploy: Path) -> None:
    assert make_env(deploy).stdout == "wrote deploy/.env and deploy/secrets/\n"

    found = written(deploy)
    assert {*found} == {".env", *SECRETS, *OPTIONAL}
    assert {found[name] for name in OPTIONAL} == {""}
    own = [found[name] for name in ("keys_secret", "refresh_secret", "internal_secret")]
    assert len({*own}) == 3
    assert all(len(secret) == 64 for secret in own)
    assert not [name for name in SECRETS if found[name] in found[".env"]]
    assert (mode(deploy / "secrets"), mode(deploy / ".env")) == (0o700, 0o600)
    password = found["rabbitmq_url"].partition("marketplace:")[2].partition("@")[0]
    assert f"default_pass = {password}\n" in found["rabbitmq_conf"]


def test_two_deployments_share_no_secret(deploy: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    shutil.copy(deploy / "make-env", other)
    for folder in (deploy, other):
        make_env(folder)

    one, two = written(deploy), written(other)
    assert [name for name in SECRETS if one[name] == two[name]] == []


def test_a_later_start_changes_nothing(deploy: Path) -> None:
    make_env(deploy)
    (deploy / "secrets" / "smtp_url").write_text("smtps://mail.example.com")
    before = written(deploy)

    again = make_env(deploy)

    assert (again.returncode, again.stdout) == (0, "")
    assert written(deploy) == before


def test_secrets_of_an_earlier_release_move_into_files(deploy: Path) -> None:
    old = {"KEYS_SECRET": "k" * 40, "REFRESH_SECRET": "r" * 40, "INTERNAL_SECRET": "i" * 40, "RABBITMQ_PASSWORD": "mq"}
    old |= {f"{service.upper()}_DB_PASSWORD": service * 2 for service in SERVICES} | {"PAYME_KEY": "paid"}
    lines = [f"{name}={value}\n" for name, value in old.items()]
    (deploy / ".env").write_text("".join(["GATEWAY_PORT=8080\n", *lines]))

    assert "moved the secrets" in make_env(deploy).stdout

    found = written(deploy)
    assert found[".env"] == "GATEWAY_PORT=8080\n"
    assert (found["keys_secret"], found["payme_key"]) == ("k" * 40, "paid")
    assert found["orders_database_url"] == "postgresql://orders:ordersorders@postgres/orders"
    assert found["rabbitmq_url"] == "amqp://marketplace:mq@rabbitmq:5672/"


def test_a_secret_that_is_gone_is_not_made_up_anew(deploy: Path) -> None:
    make_env(deploy)
    (deploy / "secrets" / "keys_secret").unlink()

    refused = make_env(deploy)

    assert refused.returncode == 1
    assert "KEYS_SECRET" in refused.stderr
    assert not (deploy / "secrets" / "keys_secret").exists()
