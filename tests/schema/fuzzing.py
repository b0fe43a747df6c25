"""Schemathesis against the running system, by its joined document: whether a service does what that says, and nothing
else."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import schemathesis
from hypothesis import strategies as st
from schemathesis import AuthContext, Case, HookContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.hooks import unregister
from schemathesis.openapi.checks import RejectedPositiveData

from tests.integration.calls import CALLS
from tests.integration.scenes import ADMIN, CLIENT, WORKER, Request, Scene
from tests.integration.world import World
from tests.schema.refusals import REFUSALS
from tests.support.pictures import encoded, halves

SEED = int(os.environ.get("FUZZ_SEED", "20261122"))
PLACEHOLDER = "Bearer of-whoever-calls"
UNIT_PHASES = ("examples", "coverage", "fuzzing")
STATEFUL = ("stateful",)
CALLS_BY_NAME = {f"{call.method} {call.path}": call for call in CALLS}

UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WELL_CHOSEN: Mapping[str, tuple[str, Callable[[], str]]] = {
    "phone": ("[0-9+() .-]{1,32}", lambda: "+998901234567"),
    "contact_phone": ("[0-9+() .-]{1,32}", lambda: "+998901234567"),
    "scheduled_at": (r"[0-9]{4}-.{2}-.{2}T.*(Z|[+-].{5})", lambda: "2099-01-31T09:00:00+05:00"),
    "slug": ("[a-z0-9]+(-[a-z0-9]+)*", lambda: f"a-{uuid4().hex}"),
}
"""Fields of which nearly all that a schema allows is refused, or taken once: what is valid of them, and what is taken.
"""

SIDES = st.integers(1, 400)
for kind in ("JPEG", "PNG", "WEBP"):  # a schema can't tell what a picture is
    pictures = st.builds(lambda width, height, kind=kind: encoded(halves(width, height), kind), SIDES, SIDES)
    schemathesis.openapi.media_type(f"image/{kind.lower()}", pictures)


def config(address: str, phases: tuple[str, ...]) -> SchemathesisConfig:
    """Every check is on by default. What a run learns from answers is off: it would change with the ids in them, and
    it would teach the generator to send what the service takes where the document allows more."""
    enabled = {phase: {"enabled": phase in phases} for phase in (*UNIT_PHASES, *STATEFUL)}
    enabled["fuzzing"] |= {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}}
    for phase in ("examples", "coverage"):
        enabled[phase] |= {"extra-data-sources": {"responses": False}}
    enabled["stateful"] |= {"max-steps": 8, "link-calibration": False}
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": address,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],  # they measure time
            "cache": {"enabled": False},
            "output": {"sanitization": {"enabled": False}},  # so that what is shown can be sent again
            "generation": {"mode": "all", "max-examples": 12, "database": "none"},
            "phases": enabled,
        }
    )


def caller_of(name: str) -> str:
    """Who makes an operation: the owner of what it is about, else whoever may. A PATCH is an admin's where one may: its
    PUT is the owner's."""
    call = CALLS_BY_NAME[name]
    may = [caller for caller in (CLIENT, WORKER, ADMIN) if call.status(caller) < 400]
    if call.method == "PATCH" and ADMIN in may:
        return ADMIN
    return call.whose if call.whose in may else may[0]


class Finding(NamedTuple):
    headline: str
    """Which check failed, at which operation."""
    details: str


@dataclass
class Fuzzing:
    """One run over the operations of a service that `include` names, or over all of that service."""

    world: World
    service: str
    phases: tuple[str, ...]
    succeeded: set[str] = field(default_factory=set)
    """Operations that were answered with success at least once."""
    refused: set[tuple[str, int]] = field(default_factory=set)
    """Operations and statuses of `REFUSALS` that were met."""
    findings: list[Finding] = field(default_factory=list)
    sent: Counter[int] = field(default_factory=Counter)
    """Statuses of all answers."""
    _requests: dict[str, Request] = field(default_factory=dict)
    _valid: Counter[str] = field(default_factory=Counter)
    """Operation → valid cases so far."""
    _told: set[str] = field(default_factory=set)
    """All ids of answers of success: in a sequence, what follows is about these."""

    async def run(self, **include: str) -> None:
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._run, include)

    def _run(self, include: Mapping[str, str]) -> None:
        settings = config(self.world.system.address, self.phases)
        schema = schemathesis.openapi.from_dict(_strict(self.world.system.address, self.service), config=settings)
        schema.auth(refresh_interval=None)(_Placeholder)

        @schema.hook
        def filter_failure(_: HookContext, failure: Failure, case: Case, response: Response) -> bool:
            return self._is_a_finding(failure, case, response)

        def before_call(_: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
            self._make_real(case)

        def after_call(_: HookContext, case: Case, response: Response) -> None:
            self._note(case, response)

        with _global_hooks(before_call, after_call):
            for event in from_schema(schema.include(**include) if include else schema).execute():
                self._collect(event)

    # --- what is sent ------------------------------------------------------------------------------------------------

    def request_of(self, operation: str) -> Request:
        """What the table of calls would send: somebody who may, and things that exist."""
        if operation not in self._requests:
            call = CALLS_BY_NAME[operation]
            scene = Scene(self.world, caller_of(operation), call.whose, changes=call.method != "GET")
            making = asyncio.run_coroutine_threadsafe(call.sends(scene), self._loop)
            self._requests[operation] = making.result(timeout=30)
        return self._requests[operation]

    def _make_real(self, case: Case) -> None:
        """Generated ids are of nothing and generated tokens are nobody's: put in real ones, so that not all is refused
        for that alone. What is invalid stays, and so does some of what is valid."""
        real = self.request_of(case.operation.label)
        # Before anything is changed: Schemathesis judges anew what has.
        valid = case.meta is not None and case.meta.generation.mode.is_positive
        negative = {part for part in ParameterLocation if case.meta is None or case.meta.is_negative_at(part)}
        turn = self._valid[case.operation.label]
        self._valid[case.operation.label] += valid
        if case.headers.get("Authorization") == PLACEHOLDER:
            case.headers = case.headers.copy()
            case.headers["Authorization"] = f"Bearer {real.by.login['access']}" if real.by else ""
        named = {*map(str, case.path_parameters.values())}
        # By an earlier answer: what follows is about a thing that there is. A null of it came to be the id "None".
        follows = not named.isdisjoint({*self._told, "None"})
        if not valid or turn % 4 != 3 or follows:
            _name_real_things(case, {**self.world.ids, **real.ids}, negative, self._told)
        if not valid or turn % 2 == 0:
            _fill_in(case, real.body, negative)

    # --- what comes back ---------------------------------------------------------------------------------------------

    def _note(self, case: Case, response: Response) -> None:
        operation = case.operation.label
        self.sent[response.status_code] += 1
        done = 200 <= response.status_code < 300
        if done:
            self.succeeded.add(operation)
            self._told |= {*UUID.findall(response.text)}
        # A token that is spent, or an account that is gone, is no good for the next case.
        if (done and case.method in ("POST", "DELETE")) or response.status_code == 401:
            self._requests.pop(operation, None)

    def _is_a_finding(self, failure: Failure, case: Case, response: Response) -> bool:
        met = case.operation.label, response.status_code
        if not isinstance(failure, RejectedPositiveData) or met[1] not in REFUSALS.get(met[0], {}):
            return True
        self.refused.add(met)
        return False

    def _collect(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.NonFatalError):
            self.findings.append(Finding(f"an error in {event.phase}: {event.label}", event.info.format()))
        if isinstance(event, events.EngineFinished) and event.stop_reason is not StopReason.COMPLETED:
            self.findings.append(Finding(f"the run ended early: {event.stop_reason}", ""))
        if isinstance(event, events.ScenarioFinished):
            for case_id, checks in event.recorder.checks.items():
                answer = event.recorder.interactions[case_id].response
                for check in checks:
                    if found := check.failure_info:
                        said = f"{answer.status_code} {answer.content[:500].decode(errors='replace')}" if answer else ""
                        headline = f"{found.failure.title}: {event.recorder.cases[case_id].value.operation.label}"
                        details = f"{event.phase.value}: {found.failure}\n\n{found.code_sample}\n\n{said}"
                        self.findings.append(Finding(headline, details))


def _name_real_things(
    case: Case, ids: Mapping[str, str], negative: Set[ParameterLocation], told: Container[str]
) -> None:
    """Put in place of generated ids, and of `WELL_CHOSEN` fields, what there is.

    What is invalid itself stays, and in a path what an earlier answer told of; in a body that might be of another kind,
    or gone.
    """
    if ParameterLocation.PATH not in negative:
        case.path_parameters = {
            name: value if value in told else ids[name] for name, value in case.path_parameters.items()
        }
    if isinstance(case.body, dict):
        kinds = {name: (UUID.pattern, partial(ids.__getitem__, name)) for name in ids} | WELL_CHOSEN
        named = {
            name: kinds[name][1]()
            for name, value in case.body.items()
            if name in kinds and isinstance(value, str) and re.fullmatch(kinds[name][0], value)
        }
        if named:
            case.body = case.body | named


def _fill_in(case: Case, real_body: Any, negative: Set[ParameterLocation]) -> None:
    """Let nothing that is said stand in the way of the parts that are not negative."""
    if ParameterLocation.HEADER not in negative:
        case.headers.pop("If-Match", None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = str(uuid4())
    if ParameterLocation.QUERY not in negative:
        case.query = {name: value for name, value in case.query.items() if name != "cursor"}
    if isinstance(case.body, dict) and isinstance(real_body, dict) and ParameterLocation.BODY not in negative:
        case.body = case.body | real_body


def _strict(address: str, service: str) -> Any:
    """What the joined document says of the service, without `default` answers, which would excuse every status."""
    document = httpx.get(f"{address}/api/schema/", timeout=30, trust_env=False).raise_for_status().json()
    operations = {path: item for path, item in document["paths"].items() if _tags(item) == {service}}
    for item in operations.values():
        for operation in item.values():
            del operation["responses"]["default"]
    return document | {"paths": operations}


def _tags(item: Any) -> set[str]:
    return {tag for operation in item.values() for tag in operation["tags"]}


class _Placeholder:
    """Marks where the access token goes, which is known only when the request goes out."""

    def get(self, case: Case, context: AuthContext) -> str:
        return PLACEHOLDER

    def set(self, case: Case, data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = data


@contextmanager
def _global_hooks(*hooks: Callable[..., None]) -> Iterator[None]:
    """Schemathesis knows these for all schemas alone."""
    for hook in hooks:
        schemathesis.hook(hook)
    try:
        yield
    finally:
        for hook in hooks:
            unregister(hook)
