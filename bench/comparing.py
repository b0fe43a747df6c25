"""Systems that were asked for the same by turns: as a table, as a plot, and held against what was reached before."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.saving import drawn

SLACK = 0.8
"""Of a ratio in the budget, which is a miss."""
EARLIER = "before"
"""The name of the side that is this system as it was."""


class Figure(NamedTuple):
    rate: float
    """A second."""
    p50: float
    p99: float
    """Milliseconds."""
    failed: float


@dataclass
class Side:
    """A system that serves, and what there is in it to ask for."""

    name: str
    fixture: Mapping[str, Any]
    figures: dict[str, list[Figure]] = field(default_factory=lambda: defaultdict(list))

    @property
    def url(self) -> str:
        return str(self.fixture["base_url"])

    def as_client(self, chance: random.Random) -> dict[str, str]:
        return {"Authorization": f"Bearer {chance.choice(self.fixture['client_tokens'])}"}

    def middle(self, row: str, figure: str) -> float:
        return median(getattr(round_, figure) for round_ in self.figures[row])


def table(sides: Sequence[Side]) -> str:
    """Medians; of the first side too how often it served as many as each other one."""
    ours, *others = sides
    heads = ["row", f"{ours.name} /s"]
    for side in others:
        heads += [f"{side.name} /s", "times"]
    heads += [f"{side.name} p50, p99 ms" for side in sides] + ["failed"]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|--:' * (len(heads) - 1)}|"]
    for row in ours.figures:
        cells = [row, f"{ours.middle(row, 'rate'):.0f}"]
        for side in others:
            cells += [f"{side.middle(row, 'rate'):.0f}", f"{ratio(row, ours, side):.2f}"]
        cells += [f"{side.middle(row, 'p50'):.1f}, {side.middle(row, 'p99'):.1f}" for side in sides]
        cells.append(", ".join(f"{sum(round_.failed for round_ in side.figures[row]):.0f}" for side in sides))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio(row: str, ours: Side, other: Side) -> float:
    there = other.middle(row, "rate")
    return ours.middle(row, "rate") / there if there else float("inf")


def plot(sides: Sequence[Side], file: Path) -> None:
    """The ratios as bars, as SVG."""
    ours, *others = sides
    rows = [*ours.figures]
    height = 0.8 / len(others)
    with drawn(file, height=0.5 + 0.5 * len(rows)) as axes:
        for number, side in enumerate(others):
            places = [place + (number - (len(others) - 1) / 2) * height for place in range(len(rows))]
            bars = axes.barh(places, [ratio(row, ours, side) for row in rows], height, label=f"times {side.name}")
            axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.set_yticks(range(len(rows)), rows)
        axes.invert_yaxis()
        axes.axvline(1, color="grey", linewidth=1)
        axes.set_xlabel("requests a second, as multiples")
        axes.legend()


def misses(sides: Sequence[Side], budget: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Rows that fell behind what they had reached."""
    ours, *others = sides
    found = []
    for side in others:
        for row in ours.figures:
            reached = 1.0 if side.name == EARLIER else budget.get(side.name, {}).get(row, 0.0)
            if (now := ratio(row, ours, side)) < SLACK * reached:
                found.append(f"{row}: {now:.2f} times {side.name}, and it was {reached:.2f}")
    return found
