"""`marketplace run`, as a person runs it."""

import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.embedded import marketplace, running, servers_of
from tests.support.process import free_port


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded") / "var"


def test_it_starts_with_demo_data_plays_the_demo_and_leaves_no_process_behind(data: Path) -> None:
    port = free_port()
    with running(data, port) as process:
        family = psutil.Process(process.pid).children(recursive=True) + servers_of(data)
        demo = marketplace("demo", "--url", f"http://127.0.0.1:{port}")
        login = {"email": "client@example.com", "password": "marketplace-demo"}
        answer = httpx.post(f"http://127.0.0.1:{port}/api/auth/login/", json=login, trust_env=False)
        listed = httpx.get(f"http://127.0.0.1:{port}/api/services/?limit=100", trust_env=False).json()["results"]
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=30)[0]

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert answer.status_code == 200
    assert len(listed) >= 10
    assert f"http://localhost:{port}/api/schema/swagger-ui/" in printed
    assert process.returncode == 0
    assert family
    assert [left for left in family if left.is_running() and left.status() != psutil.STATUS_ZOMBIE] == []


def test_a_second_start_keeps_what_was_there_and_adds_no_demo_data(data: Path) -> None:
    port = free_port()
    with running(data, port):
        services = httpx.get(f"http://127.0.0.1:{port}/api/services/?limit=100", trust_env=False).json()["results"]

    titles = [service["title"] for service in services if service["title"] == "Courier across Tashkent"]
    assert titles == ["Courier across Tashkent"]


def test_a_person_pays_by_payme_and_by_click_on_pages_of_this_machine(data: Path) -> None:
    port = free_port()
    address = f"http://localhost:{port}"
    with (
        running(data, port, "--simulate-providers") as process,
        httpx.Client(base_url=address, trust_env=False, timeout=30) as http,
    ):
        assert process.stdout
        while "Stop it" not in process.stdout.readline():
            assert process.poll() is None
        login = {"email": "client@example.com", "password": "marketplace-demo"}
        by = {"Authorization": f"Bearer {http.post('/api/auth/login/', json=login).json()['access']}"}
        service = http.get("/api/services/").json()["results"][0]
        for method in ("payme", "click"):
            body = {"service_id": service["id"], "address": "1 Navoi St"}
            order = http.post("/api/orders/create/", json=body, headers=by).json()
            pay = {"method": method, "return_url": f"{address}/paid"}
            attempt = http.post(f"/api/payments/order/{order['id']}/pay/", json=pay, headers=by).json()
            page = http.get(attempt["checkout_url"])
            back = http.post(attempt["checkout_url"], data={"do": "pay"})
            paid = http.get(f"/api/payments/{attempt['id']}/", headers=by).json()

            assert (attempt["status"], paid["status"]) == ("pending", "completed")
            assert order["number"] in page.text
            assert service["price"] in page.text
            assert (back.status_code, back.headers["location"]) == (303, f"{address}/paid")


def test_who_is_banned_from_the_command_line_is_out_within_a_second_or_so(data: Path) -> None:
    port = free_port()
    with (
        running(data, port),
        httpx.Client(base_url=f"http://localhost:{port}", trust_env=False, timeout=30) as http,
    ):
        login = {"email": "worker@example.com", "password": "marketplace-demo"}
        by = {"Authorization": f"Bearer {http.post('/api/auth/login/', json=login).json()['access']}"}
        assert http.get("/api/orders/", headers=by).status_code == 200

        banned = marketplace("users", "ban", login["email"], "--data", str(data))
        deadline = time.monotonic() + 3  # well before the looks of the services that are not accounts
        while http.get("/api/orders/", headers=by).status_code != 401:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        back = marketplace("users", "unban", login["email"], "--data", str(data))

    assert (banned.returncode, back.returncode) == (0, 0), banned.stderr + back.stderr


def test_no_provider_is_simulated_in_production(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV", "production")

    refused = marketplace("run", "--port", str(free_port()), "--data", str(data), "--simulate-providers")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "Simulated providers take no money: ENV=production refuses them.\n"


def test_a_killed_one_is_taken_over_by_the_next(data: Path) -> None:
    with running(data, free_port()) as process:
        process.kill()
        process.communicate(timeout=30)
        left = servers_of(data)

    with running(data, free_port()) as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert process.returncode == 0
    assert [server for server in left if server.is_running() and server.status() != psutil.STATUS_ZOMBIE] == []


def test_a_taken_port_is_one_clear_line(tmp_path: Path, data: Path) -> None:
    port = free_port()
    with running(data, port):
        refused = marketplace("run", "--port", str(port), "--data", str(tmp_path / "other"))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"Port {port} can't be had: Address already in use. Take another one by --port.\n"


def test_a_database_that_is_open_elsewhere_is_one_clear_line(data: Path) -> None:
    with running(data, free_port()) as process:
        refused = marketplace("run", "--port", str(free_port()), "--data", str(data))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"The database in {data} is open already, by process {process.pid}.\n"


def test_a_folder_that_can_not_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    refused = marketplace("run", "--port", str(free_port()), "--data", str(tmp_path / "file" / "var"))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"The data folder {tmp_path / 'file' / 'var'} can't be written: Not a directory.\n"


@pytest.mark.parametrize(
    ("setting", "value"), [("ENV", "production"), ("FAKE_GATEWAY_SUCCESS_RATE", "2"), ("RETRY_DELAYS", "soon")]
)
def test_a_setting_that_can_not_be_is_one_clear_line(
    data: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)

    refused = marketplace("run", "--port", str(free_port()), "--data", str(data))

    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (78, "", 1)
    assert ("RABBITMQ_URL" if setting == "ENV" else setting) in refused.stderr
