"""Nothing of a request runs in a thread: FastAPI takes one for each handler or dependency that is not `async`."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.security.base import SecurityBase

from marketplace.registry import SERVICES
from tests.contract.apps import app_of


def dependants(routes: Iterable[Any]) -> Iterator[Dependant]:
    """Of every route, with all that it depends on."""
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from dependants(router.routes)
        elif hasattr(route, "dependant"):
            yield from whole(route.dependant)


def whole(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for part in dependant.dependencies:
        yield from whole(part)


def runs_in_a_thread(call: Callable[..., Any]) -> bool:
    call = call.__call__ if isinstance(call, SecurityBase) else call
    return not (inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call))


@pytest.mark.parametrize("service", SERVICES)
def test_every_handler_and_dependency_is_async(service: str) -> None:
    found = [*dependants(app_of(service).routes)]
    assert len(found) > 20
    assert {call for each in found if (call := each.call) and runs_in_a_thread(call)} == set()
