"""What the doctor says."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, and an operator should know."""
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    check: str
    level: Level
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class Patient:
    """One process: `gateway` or a service, as the environment or a data folder configures it."""

    name: str
    settings: Any
    """The process's own `ProcessSettings`; each check knows whose it looks at."""
    is_deployed: bool
    """Whether it is a process of its own, with a broker and neighbours."""


Check = Callable[[Patient], AsyncIterator[Finding]]


def well(check: str, said: str) -> Finding:
    return Finding(check, Level.OK, said)


def warning(check: str, said: str, remedy: str) -> Finding:
    return Finding(check, Level.WARNING, said, remedy)


def wrong(check: str, said: str, remedy: str) -> Finding:
    return Finding(check, Level.WRONG, said, remedy)


def judged(check: str, problem: str | None, remedy: str, *, well_said: str) -> Finding:
    """Wrong where there is a problem."""
    return wrong(check, problem, remedy) if problem else well(check, well_said)
