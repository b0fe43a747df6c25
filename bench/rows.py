"""What the front door serves a second, row by row, beside an earlier commit and, where one serves, another system.

    python -m bench.rows [--rounds 5] [--seconds 5] [--connections 16] [--against HEAD~1] [--peer FIXTURE] [--save]

Every system has all its parts, PostgreSQL and RabbitMQ on the same cores; they are asked by turns, so that a machine
that is busy for a while is so for all. `--peer` names a file as `bench.stack --out` writes one, of any system with this
API.
`--save` keeps the table and the plot in docs/performance/.

`budget.json` holds the ratios that were reached: one that falls short of its own by more than a fifth is a failure. The
earlier commit's is 1.
"""

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx

from bench.comparing import EARLIER, Figure, Side, misses, plot, ratio, table
from bench.saving import DOCS, keep
from bench.stack import seeded_stack
from bench.wrk import REPORT, need_wrk, run_wrk

HERE = Path(__file__).parent
ROOT = HERE.parent
BUDGET = HERE / "budget.json"
DRAWN = 1000
"""Requests of a row, which are sent again and again."""
WARM_UP = 2
"""Seconds."""
JOURNEYS_AT_ONCE = 8
NO_CACHE = {"Cache-Control": "no-store"}


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None = None


def lists(side: Side, chance: random.Random) -> Request:
    """First pages: of all, of a category, of a search, within a price, in other orders."""
    low = chance.randrange(5, 100) * 10_000
    order = chance.choice(["price", "-price", "rating", "-rating", "created_at"])
    queries = [
        "",
        f"?category={chance.choice(side.fixture['category_ids'])}",
        f"?search={chance.choice(side.fixture['search_terms'])}",
        f"?min_price={low}&max_price={low + 500_000}&ordering={order}",
    ]
    return Request("GET", f"/api/services/{chance.choice(queries)}", {})


def details(side: Side, chance: random.Random) -> Request:
    return Request("GET", f"/api/services/{chance.choice(side.fixture['service_ids'])}/", {})


def categories(_: Side, __: random.Random) -> Request:
    return Request("GET", "/api/services/categories/", {})


def my_orders(side: Side, chance: random.Random) -> Request:
    return Request("GET", "/api/orders/", side.as_client(chance))


def new_orders(side: Side, chance: random.Random) -> Request:
    wish = {"service_id": chance.choice(side.fixture["service_ids"]), "address": "1 Navoi St", "description": "Bench"}
    headers = {**side.as_client(chance), "Content-Type": "application/json"}
    return Request("POST", "/api/orders/create/", headers, json.dumps(wish))


def past_the_cache(draw: Callable[[Side, random.Random], Request]) -> Callable[[Side, random.Random], Request]:
    def drawn(side: Side, chance: random.Random) -> Request:
        request = draw(side, chance)
        return request._replace(headers={**request.headers, **NO_CACHE})

    return drawn


JOURNEYS = "journeys"
ROWS: Mapping[str, Callable[[Side, random.Random], Request]] = {
    "lists": lists,
    "lists, no cache": past_the_cache(lists),
    "details": details,
    "details, no cache": past_the_cache(details),
    "categories": categories,
    "my orders": my_orders,
    "new orders": new_orders,
}


def lua(requests: Sequence[Request]) -> str:
    """The file that rows.lua reads."""

    def text(value: str | None) -> str:
        return "nil" if value is None else json.dumps(value)

    lines = []
    for request in requests:
        headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in request.headers.items())
        lines.append(f"{{{text(request.method)}, {text(request.path)}, {{{headers}}}, {text(request.body)}}},")
    return "return {\n" + "\n".join(lines) + "\n}\n"


def ask(side: Side, requests: Path, seconds: int, connections: int) -> Figure:
    where = {"BENCH_REQUESTS": str(requests), "BENCH_REPORT": str(REPORT)}
    return Figure(**run_wrk(side.url, seconds, connections, script=HERE / "rows.lua", **where))


async def travel(side: Side, seconds: float, seed: int, at_once: int = JOURNEYS_AT_ONCE) -> Figure:
    """Orders from their creation to their completion, so many at a time, each paid by the client and done by its
    worker."""
    chance, took, failed = random.Random(seed), list[float](), 0
    end = time.perf_counter() + seconds
    async with httpx.AsyncClient(base_url=side.url, timeout=30, trust_env=False) as http:

        async def call(method: str, path: str, headers: Mapping[str, str], body: Any = None) -> Any:
            answer = await http.request(method, path, headers=headers, json=body)
            answer.raise_for_status()
            return answer.json()

        offers = []
        for token in side.fixture["worker_tokens"]:
            worker = {"Authorization": f"Bearer {token}"}
            offer = {"title": "Bench", "description": "-", "price": "150000.00"}
            category = chance.choice(side.fixture["category_ids"])
            made = await call("POST", "/api/services/", worker, {**offer, "category_id": category})
            offers.append((worker, made["id"]))

        async def one() -> None:
            worker, service_id = chance.choice(offers)
            client = side.as_client(chance)
            wish = {"service_id": service_id, "address": "1 Navoi St", "description": "Bench"}
            order = (await call("POST", "/api/orders/create/", client, wish))["id"]
            await call("POST", f"/api/orders/{order}/assign/", worker, {})
            await call("POST", f"/api/payments/order/{order}/pay/", client, {"method": "payme"})
            for status in ("in_progress", "completed"):
                await call("POST", f"/api/orders/{order}/status/", worker, {"status": status})

        async def traveller() -> None:
            nonlocal failed
            while (began := time.perf_counter()) < end:
                try:
                    await one()
                    took.append(1000 * (time.perf_counter() - began))
                except httpx.HTTPError:
                    failed += 1

        began = time.perf_counter()
        await asyncio.gather(*(traveller() for _ in range(at_once)))
        lasted = time.perf_counter() - began
    took.sort()
    if not took:
        return Figure(0, 0, 0, failed)
    return Figure(len(took) / lasted, median(took), took[int(0.99 * len(took))], failed)


@contextmanager
def commit_serving(commit: str, folder: Path) -> Iterator[Mapping[str, Any]]:
    """The whole system as that commit has it, from a work tree of its own; its fixture."""
    tree, fixture = folder / "tree", folder / "fixture.json"
    subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(tree), commit], check=True)
    command = [sys.executable, "-m", "bench.stack", "--out", str(fixture)]
    process = subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        if not any(" serves" in line for line in process.stdout):
            sys.exit(f"bench: {commit} does not serve")
        yield json.loads(fixture.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)], check=True)


def measure(sides: Sequence[Side], args: argparse.Namespace, folder: Path) -> None:
    """Each row of each side, by turns."""
    for row, draw in ROWS.items():
        files = []
        for number, side in enumerate(sides):
            chance = random.Random(row)  # the same choices for all
            file = folder / f"{number}.lua"
            file.write_text(lua([draw(side, chance) for _ in range(DRAWN)]))
            ask(side, file, WARM_UP, args.connections)
            files.append(file)
        for _ in range(args.rounds):
            for side, file in zip(sides, files, strict=True):
                side.figures[row].append(ask(side, file, args.seconds, args.connections))
        print(f"bench: {row}:", *(f"{side.middle(row, 'rate'):.0f}" for side in sides), file=sys.stderr, flush=True)
    for number in range(args.rounds):
        for side in sides:
            side.figures[JOURNEYS].append(asyncio.run(travel(side, args.seconds, number)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"rounds": 5, "seconds": 5, "connections": 16}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--against", default="HEAD~1", help="the earlier commit")
    parser.add_argument("--peer", type=Path, help="the fixture of another system that serves")
    parser.add_argument("--save", action="store_true", help="keep the table and the plot, and what was reached")
    args = parser.parse_args()
    need_wrk()

    with tempfile.TemporaryDirectory(prefix="bench-rows-") as name, ExitStack() as systems:
        folder = Path(name)
        systems.enter_context(seeded_stack(folder / "ours.json", FAKE_GATEWAY_SUCCESS_RATE="1"))
        sides = [Side("now", json.loads((folder / "ours.json").read_text()))]
        sides.append(Side(EARLIER, systems.enter_context(commit_serving(args.against, folder))))
        if args.peer:
            sides.append(Side("peer", json.loads(args.peer.read_text())))
        measure(sides, args, folder)

    said = (
        f"{args.connections} connections, medians of {args.rounds} rounds of {args.seconds} s; before is {args.against}"
    )
    print(f"{said}\n\n{table(sides)}")
    budget = json.loads(BUDGET.read_text())
    failures = misses(sides, budget)
    if failed := [row for row in sides[0].figures if sum(round_.failed for round_ in sides[0].figures[row])]:
        failures.append(f"not every request was served: {', '.join(failed)}")
    if args.save:
        plot(sides, DOCS / "rows.svg")
        keep("rows", "Rows", f"{said}.\n\n{table(sides)}", "rows.svg")
        ours, _, *others = sides
        reached = {side.name: {row: round(ratio(row, ours, side), 2) for row in ours.figures} for side in others}
        BUDGET.write_text(json.dumps(budget | reached, indent=2) + "\n")
    if failures:
        sys.exit("\n".join(chain(["bench: behind its budget:"], failures)))


if __name__ == "__main__":
    main()
