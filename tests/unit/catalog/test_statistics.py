"""How scores are spread, of what PostgreSQL tells of them."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from services.catalog.models import WELL_RATED
from services.catalog.repo import statistics as module
from services.catalog.repo.statistics import Spread, Statistics, spread_of


def scores(*texts: str) -> Sequence[Decimal]:
    return [Decimal(text) for text in texts]


BOUNDS = scores("1", "2", "3", "4", "4.2", "4.3")


def test_common_scores_and_bounds_between_the_others_together_are_all() -> None:
    assert spread_of(scores("3.5"), [1.0], ()) == [(Decimal("3.5"), 1.0)]
    found = spread_of(scores("3.5", "0"), [0.5, 0.2], scores("1", "4"))
    assert [score for score, _ in found] == scores("4", "3.5", "1", "0")
    assert [share for _, share in found] == pytest.approx([0.15, 0.5, 0.15, 0.2])


@pytest.mark.parametrize(
    ("spread", "share", "lowest"),
    [
        (spread_of(scores("3.5"), [1.0], ()), 0.01, "3.5"),
        (spread_of((), (), BOUNDS), 0.05, "4.3"),
        (spread_of((), (), BOUNDS), 0.49, "4"),
        (spread_of((), (), BOUNDS), 1.0, "1"),
        # What is not common is a tenth of all: the best twentieth is the better half of that.
        (spread_of(scores("3.5"), [0.9], BOUNDS), 0.049, "4"),
        (spread_of(scores("3.5"), [0.9], BOUNDS), 0.5, "3.5"),
        ((), 0.5, None),
    ],
)
async def test_the_best_have_at_least_so_much(
    monkeypatch: pytest.MonkeyPatch, spread: Spread, share: float, lowest: str | None
) -> None:
    async def read(_: object) -> tuple[int, Spread]:
        return 1000, spread

    monkeypatch.setattr(module, "_read", read)
    nowhere: object = None
    found = await Statistics().score_of_best(nowhere, share)  # type: ignore[arg-type]

    assert found == (None if lowest is None else Decimal(lowest))


async def test_well_rated_ones_that_are_about_as_many_are_those_with_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_: object) -> tuple[int, Spread]:
        return 1000, spread_of((), (), scores("3", "4", "4.4", str(WELL_RATED), "4.9"))

    monkeypatch.setattr(module, "_read", read)
    nowhere: object = None

    assert await Statistics().score_of_best(nowhere, 0.3) == WELL_RATED  # type: ignore[arg-type]
