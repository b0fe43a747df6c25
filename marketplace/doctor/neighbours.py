"""The other processes: that they are there and well, by the same clock, and share keys and secrets."""

import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import httpx

from marketplace.doctor.findings import Finding, Patient, judged, warning, well, wrong
from marketplace.registry import SERVICES
from shared.auth.service_tokens import issue_service_token
from shared.config import ServiceSettings
from shared.ids import new_id

CLOCKS_APART = 5
"""Seconds, of which one is the header's own step."""


async def check_neighbours(patient: Patient) -> AsyncIterator[Finding]:
    if not patient.is_deployed:
        return
    async with httpx.AsyncClient(timeout=3, trust_env=False) as http:
        for service in SERVICES:
            for url in getattr(patient.settings, f"{service}_url").split(","):
                async for finding in _look_at(http, service, url.strip().rstrip("/")):
                    yield finding
        yield await _keys_served(http, patient)
        if isinstance(patient.settings, ServiceSettings):
            yield await _same_secret(http, patient)


async def _look_at(http: httpx.AsyncClient, service: str, url: str) -> AsyncIterator[Finding]:
    try:
        answer = await http.get(f"{url}/health/ready")
    except httpx.HTTPError as error:
        said = f"does not answer at {url}: {str(error) or repr(error)}"
        yield wrong(service, said, f"Start {service}, or look at {service.upper()}_URL.")
        return
    try:
        body = answer.json()
    except ValueError:
        body = {"status": f"no health: {answer.status_code}"}
    told = ", ".join(f"{name}: {value}" for name, value in body.items() if name != "status")
    said = f"{body.get('status')} at {url}" + (f" ({told})" if told else "")
    if not answer.is_success:
        yield wrong(service, said, f"Its log says why. Run `marketplace doctor` beside {service}.")
    elif body.get("status") != "ready":
        yield warning(service, said, f"Run `marketplace doctor` beside {service}.")
    else:
        yield well(service, said)
    apart = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
    problem = f"{apart:+.0f} s from ours" if abs(apart) > CLOCKS_APART else None
    yield judged(f"clock of {service}", problem, "Let NTP set both machines' clocks.", well_said="as ours")


async def _keys_served(http: httpx.AsyncClient, patient: Patient) -> Finding:
    url = patient.settings.accounts_url.split(",")[0].strip().rstrip("/") + "/.well-known/jwks.json"
    try:
        keys = (await http.get(url)).raise_for_status().json()["keys"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return wrong("public keys", f"not served at {url}: {str(error) or repr(error)}", "Run the doctor at accounts.")
    problem = None if keys else f"none at {url}"
    return judged("public keys", problem, "Run the doctor at accounts.", well_said=f"{len(keys)} served by accounts")


async def _same_secret(http: httpx.AsyncClient, patient: Patient) -> Finding:
    """Ask for somebody who is not there: whoever believes the caller says 404."""
    owner, path = ("catalog", "services") if patient.name == "accounts" else ("accounts", "users")
    url = getattr(patient.settings, f"{owner}_url").split(",")[0].strip().rstrip("/")
    token = issue_service_token(patient.settings.internal_secret.get_secret_value(), patient.name, owner)
    try:
        answer = await http.get(f"{url}/internal/{path}/{new_id()}/", headers={"Authorization": f"Bearer {token}"})
    except httpx.HTTPError as error:
        return warning("INTERNAL_SECRET", f"{owner} can't be asked: {str(error) or repr(error)}", f"Start {owner}.")
    refused = answer.status_code == httpx.codes.UNAUTHORIZED
    problem = f"{owner} has another one" if refused else None
    remedy = "Give all services the same, and restart them. A clock that is a minute off looks the same."
    return judged("INTERNAL_SECRET", problem, remedy, well_said=f"the same as {owner}'s")
