"""The services do what the joined OpenAPI document says: every operation, through the gateway, with all checks."""

from collections import Counter

import pytest
from schemathesis.checks import CHECKS

from tests.contract.apps import operations
from tests.integration.world import World
from tests.schema.fuzzing import STATEFUL, UNIT_PHASES, Fuzzing, caller_of, config
from tests.schema.refusals import REFUSALS

SERVICES_UNDER_TEST = ("accounts", "catalog", "orders", "payments", "notifications")
OPERATIONS = [
    (service, f"{method} {path}") for service, method, path, _ in operations() if service in SERVICES_UNDER_TEST
]
pytestmark = pytest.mark.filterwarnings(
    # The servers use `random` while Hypothesis generates: they share a process.
    "ignore::hypothesis.errors.HypothesisDeprecationWarning"
)


@pytest.mark.parametrize(
    ("service", "operation"), [pytest.param(*named, id=f"{named[1]} by {caller_of(named[1])}") for named in OPERATIONS]
)
async def test_an_operation_does_what_its_document_says(world: World, service: str, operation: str) -> None:
    method, path = operation.split()
    fuzzing = Fuzzing(world, service, UNIT_PHASES)

    await fuzzing.run(method=method, path=path)

    found_nothing(fuzzing)
    assert fuzzing.succeeded == {operation}, f"nothing was done: {dict(fuzzing.sent)}"
    assert {(operation, status) for status in REFUSALS.get(operation, ())} == fuzzing.refused


@pytest.mark.parametrize("service", SERVICES_UNDER_TEST)
async def test_operations_one_after_another_do_what_their_document_says(world: World, service: str) -> None:
    fuzzing = Fuzzing(world, service, STATEFUL)

    await fuzzing.run()

    found_nothing(fuzzing)


def test_refusals_are_of_operations_that_are_there() -> None:
    assert REFUSALS.keys() - {operation for _, operation in OPERATIONS} == set()


def test_every_check_there_is_is_made() -> None:
    """That of object-level authorisation finds nothing with one caller an operation: the table of calls has that."""
    checks = config("http://localhost", UNIT_PHASES).projects.get_default().checks
    off = {name for name in CHECKS.get_all_names() if not checks.get_by_name(name=name).enabled}
    assert off <= {"max_response_time"}  # the time of an answer is a matter of the machine


def found_nothing(fuzzing: Fuzzing) -> None:
    """Else name the first finding in the first line, show some with the calls that show them, and list all at the end,
    where a log is read."""
    if fuzzing.findings:
        shown = "\n\n".join(finding.details for finding in fuzzing.findings[:5])
        listed = Counter(finding.headline for finding in fuzzing.findings)
        summary = "\n".join(f"{times} × {headline}" for headline, times in listed.items())
        pytest.fail(f"{fuzzing.findings[0].headline}\n\n{shown}\n\nAll findings:\n{summary}", pytrace=False)
