"""What was sent, what should have come back, and what did."""

from collections.abc import Iterable
from dataclasses import dataclass, field

WIDEST = 60


@dataclass(frozen=True)
class Row:
    script: str
    delivery: str
    step: str
    expected: str
    got: str
    ok: bool


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)

    @property
    def wrong(self) -> list[Row]:
        return [row for row in self.rows if not row.ok]

    def table(self) -> str:
        head = ("", "script", "delivery", "sent", "expected", "got")
        lines = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        return "\n".join(_aligned(line, widths) for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    mark = "✓" if row.ok else "✗"
    return (
        mark,
        row.script,
        row.delivery,
        row.step,
        row.expected[:WIDEST],
        row.got if not row.ok else row.got[:WIDEST],
    )


def _aligned(line: Iterable[str], widths: list[int]) -> str:
    cells = list(line)
    padded = [f"{cell:<{width}}" for cell, width in zip(cells[:-1], widths[:-1], strict=True)]
    return "  ".join([*padded, cells[-1]]).rstrip()
