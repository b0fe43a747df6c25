"""The life of an order as the API's contract tells it, apart from the code: for tests to compare with."""

from dataclasses import dataclass, field
from typing import Any

TABLE = {
    ("pending", "assigned"): {"owner", "admin"},
    ("assigned", "pending"): {"worker", "admin"},
    ("pending", "cancelled"): {"client", "owner", "admin", "system"},
    ("assigned", "cancelled"): {"client", "admin"},
    ("assigned", "in_progress"): {"worker", "admin"},
    ("in_progress", "completed"): {"worker", "admin"},
    ("in_progress", "cancelled"): {"admin"},
}


def assert_legal(history: list[dict[str, Any]], order: dict[str, Any]) -> None:
    """Each entry begins where the one before it ended, and is a move of the table by one who may make it."""
    path = [(entry["from"], entry["to"]) for entry in history]
    assert path[0] == (None, "pending")
    assert [start for start, _ in path[1:]] == [to for _, to in path[:-1]]
    for entry in history[1:]:
        may = TABLE[entry["from"], entry["to"]]
        hands = {"client": {"client"}, "worker": {"owner", "worker"}, "admin": {"admin"}, "system": {"system"}}
        assert may & hands[entry["actor_role"]]
    assert (order["status"], order["version"]) == (path[-1][1], len(path))


@dataclass
class Model:
    """One order. People are `client`, `owner`, `other` (a worker), `stranger` (a client) and `admin`."""

    status: str = "pending"
    worker: str | None = None
    path: list[tuple[str, str]] = field(default_factory=list)
    """(to, by)"""

    def is_visible_to(self, who: str) -> bool:
        nobody_else = who == "owner" and self.worker is None
        return who in ("client", "admin") or who == self.worker or nobody_else

    def may(self, who: str, to: str) -> bool:
        hats = {who} | ({"worker"} if who == self.worker else set())
        return bool(TABLE.get((self.status, to), set()) & hats)

    def change(self, who: str, to: str) -> tuple[int, str | None]:
        """Status and slug of the answer to `…/status/`, after which this is the order."""
        if not self.is_visible_to(who):
            return 404, "not-found"
        if not self.may(who, to):
            return 409, "move-not-allowed"
        if to == "assigned":
            return 409, "use-assign"
        self._move(who, to, None if to == "pending" else self.worker)
        return 200, None

    def assign(self, who: str, chosen: str | None) -> tuple[int, str | None]:
        """The same of `…/assign/`."""
        if who in ("client", "stranger"):
            return 403, "forbidden"
        if not self.is_visible_to(who):
            return 404, "not-found"
        if who != "admin" and chosen not in (None, who):
            return 403, "forbidden"
        if not self.may(who, "assigned"):
            return 409, "move-not-allowed"
        self._move(who, "assigned", chosen or ("owner" if who == "admin" else who))
        return 200, None

    def time_passes(self) -> None:
        if self.status == "pending":
            self._move("system", "cancelled", None)

    def _move(self, who: str, to: str, worker: str | None) -> None:
        self.status, self.worker = to, worker
        self.path.append((to, who))
