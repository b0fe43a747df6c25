"""The sample messages: what a producer must emit and every consumer must accept, one file an event and version."""

import json
from pathlib import Path
from typing import Any

from shared.contracts import LISTENERS, Event

FOLDER = Path(__file__).parent / "golden"
EVENTS = sorted(LISTENERS, key=lambda event: (event.event_name, event.event_version))


def file_name(event: type[Event]) -> str:
    return f"{event.event_name}.v{event.event_version}.json"


def golden(event: type[Event]) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads((FOLDER / file_name(event)).read_text(encoding="utf-8"))
    return envelope
