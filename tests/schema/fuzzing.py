"""Schemathesis against one service of the running system: whether it does what its document says, and nothing else."""

import asyncio
import copy
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import AuthContext, Case, HookContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.generation.meta import TestPhase
from schemathesis.hooks import unregister
from schemathesis.openapi.checks import RejectedPositiveData

from tests.contract.apps import app_of
from tests.integration.calls import CALLS
from tests.integration.scenes import ADMIN, CLIENT, WORKER, Request, Scene
from tests.integration.world import World
from tests.schema.refusals import REFUSALS

SEED = int(os.environ.get("FUZZ_SEED", "20261122"))
PLACEHOLDER = "Bearer of-whoever-calls"
UNIT_PHASES = ("examples", "coverage", "fuzzing")
STATEFUL = ("stateful",)
CALLS_BY_NAME = {f"{call.method} {call.path}": call for call in CALLS}


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


@dataclass
class Fuzzing:
    """One run over the operations of a service that `include` names, or over all."""

    world: World
    service: str
    phases: tuple[str, ...]
    succeeded: set[str] = field(default_factory=set)
    """Operations that were answered with success at least once."""
    refused: set[tuple[str, int]] = field(default_factory=set)
    """Operations and statuses of `REFUSALS` that were met."""
    findings: list[str] = field(default_factory=list)
    sent: Counter[int] = field(default_factory=Counter)
    """Statuses of all answers."""
    _requests: dict[str, Request] = field(default_factory=dict)
    _valid: Counter[str] = field(default_factory=Counter)
    """Operation → valid cases so far."""

    async def run(self, **include: str) -> None:
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._run, include)

    def _run(self, include: Mapping[str, str]) -> None:
        settings = config(self.world.system.address, self.phases)
        schema = schemathesis.openapi.from_dict(_strict(self.service), config=settings)
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
        headers = case.headers.copy()
        if headers.get("Authorization") == PLACEHOLDER:
            headers["Authorization"] = f"Bearer {real.by.login['access']}" if real.by else ""
        meta = case.meta
        valid = meta is not None and meta.generation.mode.is_positive
        turn = self._valid[case.operation.label]
        self._valid[case.operation.label] += valid

        def may_be_real(part: ParameterLocation, but_one_in: int = 2) -> bool:
            if meta is None or meta.is_negative_at(part):
                return False
            return not valid or turn % but_one_in != but_one_in - 1

        if may_be_real(ParameterLocation.HEADER):
            headers.pop("If-Match", None)
        case.headers = headers
        # In a sequence, ids come out of earlier answers.
        if may_be_real(ParameterLocation.PATH, but_one_in=4) and meta.phase.name is not TestPhase.STATEFUL:
            ids = {**self.world.ids, **real.ids}
            case.path_parameters = {name: ids[name] for name in case.path_parameters}
        if may_be_real(ParameterLocation.QUERY):
            case.query = {name: value for name, value in case.query.items() if name != "cursor"}
        if isinstance(case.body, dict) and isinstance(real.body, dict) and may_be_real(ParameterLocation.BODY):
            case.body = case.body | real.body

    # --- what comes back ---------------------------------------------------------------------------------------------

    def _note(self, case: Case, response: Response) -> None:
        operation = case.operation.label
        self.sent[response.status_code] += 1
        done = 200 <= response.status_code < 300
        if done:
            self.succeeded.add(operation)
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
            self.findings.append(f"{event.phase}: {event.info.format()}")
        if isinstance(event, events.EngineFinished) and event.stop_reason is not StopReason.COMPLETED:
            self.findings.append(f"the run ended early: {event.stop_reason}")
        if isinstance(event, events.ScenarioFinished):
            for case_id, checks in event.recorder.checks.items():
                answer = event.recorder.interactions[case_id].response
                for check in checks:
                    if found := check.failure_info:
                        said = f"{answer.status_code} {answer.content[:500].decode(errors='replace')}" if answer else ""
                        self.findings.append(f"{event.phase.value}: {found.failure}\n\n{found.code_sample}\n\n{said}")


def _strict(service: str) -> Any:
    """The service's document without `default` answers, which would excuse every status."""
    document = copy.deepcopy(app_of(service).openapi())
    for item in document["paths"].values():
        for operation in item.values():
            del operation["responses"]["default"]
    return document


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
