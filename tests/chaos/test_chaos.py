"""A short chaos run, and two mutants that the oracle must catch. `make chaos` runs for longer, and catches them all."""

import pytest

from tests.chaos.aimed import AIMS, complaints, play
from tests.chaos.faults import plan
from tests.chaos.run import run
from tests.support.stack import PROCESSES

SEED, SECONDS, KILLS = 20261127, 55, 25


def test_a_plan_follows_from_its_seed_and_holds_every_kind_of_fault() -> None:
    plans = [plan(seed, SECONDS, PROCESSES, longest=3) for seed in (SEED, SEED, SEED + 1)]

    assert plans[0] == plans[1] != plans[2]
    assert len(plans[0].kills) >= KILLS
    assert {kill.target for kill in plans[0].kills} == set(PROCESSES)
    assert len({outage.kind for outage in plans[0].outages}) == 12


@pytest.mark.timeout(900)
async def test_under_kills_and_outages_nothing_is_lost_doubled_or_at_odds() -> None:
    outcome = await run(SEED, SECONDS)

    print(outcome.table())
    assert outcome.findings.all == []
    assert outcome.kills >= KILLS
    assert outcome.promises.acknowledged > 100


@pytest.mark.parametrize("name", ["no-inbox", "new-reference-on-retry"])
@pytest.mark.timeout(900)
async def test_the_oracle_catches_a_mutant(name: str) -> None:
    found = await play(name, SEED, AIMS[name].fault)

    assert complaints(name, found)
