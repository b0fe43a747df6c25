"""How long after a logout the last service refuses the access token, and the socket is closed.

    python -m bench.revocation

Six processes with PostgreSQL and RabbitMQ between them. SECURITY.md's promise: within a second.
"""

import asyncio
import statistics
import sys
import time

import httpx
from websockets.asyncio.client import connect

from tests.support.people import register
from tests.support.process import NoServer
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack

LOGOUTS = 30
PROMISED_MS = 1000.0
READS = {
    "accounts": "/api/users/me/",
    "orders": "/api/orders/",
    "payments": "/api/payments/",
    "notifications": "/api/notifications/",
}


async def log_out_once(http: httpx.AsyncClient, url: str) -> dict[str, float]:
    """Milliseconds from a logout's answer to the first refusal by each service, and to the end of the socket."""
    person = await register(http, "client")
    address = url.replace("http", "ws", 1) + "/ws/notifications/"
    found: dict[str, float] = {}
    async with connect(address, proxy=None, additional_headers=person.headers) as socket:
        await socket.recv()
        await http.post("/api/auth/logout/", json={"refresh": person.login["refresh"]})
        began = time.perf_counter()

        async def until_closed() -> None:
            await socket.wait_closed()
            found["socket"] = 1000 * (time.perf_counter() - began)

        async def until_refused(name: str) -> None:
            while (await person.get(READS[name])).status_code != httpx.codes.UNAUTHORIZED:
                pass
            found[name] = 1000 * (time.perf_counter() - began)

        await asyncio.gather(until_closed(), *map(until_refused, READS))
    return found


async def measure(url: str) -> list[dict[str, float]]:
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as http:
        return [await log_out_once(http, url) for _ in range(LOGOUTS)]


def main() -> None:
    try:
        with (
            postgres_server(own_process=True) as postgres,
            rabbitmq_server(own_process=True) as rabbitmq,
            Stack(postgres.admin_url, rabbitmq.url, LOG_LEVEL="WARNING") as stack,
        ):
            stack.start()
            found = asyncio.run(measure(stack.url))
    except NoServer as error:
        sys.exit(f"bench: {error}")
    print("| refused by | p50 ms | max ms |\n|---|---:|---:|")
    for name in (*READS, "socket"):
        times = [each[name] for each in found]
        print(f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} |")
    if max(max(each.values()) for each in found) > PROMISED_MS:
        sys.exit(f"bench: a logout took longer than {PROMISED_MS:.0f} ms to reach everyone")


if __name__ == "__main__":
    main()
