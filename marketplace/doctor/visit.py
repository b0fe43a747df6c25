"""One visit: who is looked at, by which checks, and how that is told."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from marketplace.beside import is_deployed, settings_beside
from marketplace.doctor.broker import check_broker
from marketplace.doctor.database import check_database
from marketplace.doctor.findings import Check, Finding, Level, Patient, wrong
from marketplace.doctor.keys import check_signing_keys
from marketplace.doctor.machine import check_files, check_mails, check_pictures, check_settings
from marketplace.doctor.neighbours import check_neighbours
from marketplace.errors import CannotStart
from marketplace.registry import gateway_settings
from shared.observability.logging import configure_logging

GATEWAYS: Sequence[Check] = (check_settings, check_files, check_neighbours)
SERVICES: Sequence[Check] = (
    *(check_settings, check_database, check_signing_keys, check_broker, check_neighbours),
    *(check_files, check_pictures, check_mails),
)
MARKS = {Level.OK: "  ok     ", Level.WARNING: "! warning", Level.WRONG: "✗ wrong  "}


def visit(data: Path, service: str | None, *, as_json: bool) -> None:
    """Print what was found. Raises `CannotStart` where something is wrong, and by what a process would not start."""
    configure_logging(os.environ.get("LOG_LEVEL", "ERROR"), os.environ.get("LOG_FORMAT", "console"))
    if service == "gateway":
        patients = [Patient("gateway", gateway_settings(), True)]
    else:
        patients = [Patient(name, own, is_deployed()) for name, own in settings_beside(data, service).items()]
    found = {patient.name: asyncio.run(findings(patient)) for patient in patients}
    if as_json:
        print(json.dumps({name: [asdict(finding) for finding in all_of] for name, all_of in found.items()}, indent=1))
    else:
        for name, all_of in found.items():
            print(name)
            for finding in all_of:
                print(f"  {MARKS[finding.level]} {finding.check}: {finding.said}")
                if finding.remedy and finding.level != Level.OK:
                    print(f"              → {finding.remedy}")
    bad = sum(finding.level == Level.WRONG for all_of in found.values() for finding in all_of)
    if bad:
        raise CannotStart(f"{bad} {'thing is' if bad == 1 else 'things are'} wrong.")


async def findings(patient: Patient) -> list[Finding]:
    found = []
    for check in GATEWAYS if patient.name == "gateway" else SERVICES:
        try:
            found += [finding async for finding in check(patient)]
        except Exception as error:
            name = check.__name__.removeprefix("check_").replace("_", " ")
            found.append(
                wrong(name, f"could not be looked at: {error!r}", "This is a fault of ours: please report it.")
            )
    return found
