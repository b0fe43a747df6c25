"""How many services PostgreSQL expects filters to leave."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from sqlalchemy import Select

from services.catalog.repo.filters import Build, Conditions, Filters, rows
from services.catalog.repo.services import LISTED, SERVICES
from services.catalog.repo.statistics import statistics_of
from shared.db import Connected
from shared.db.explain import explanation, rows_expected
from shared.db.geo import degrees_within


async def expected(session: Connected, filters: Filters) -> int:
    """How many listed services PostgreSQL expects the filters to leave, their place apart."""
    anywhere = replace(filters, near=None) if filters.near else filters
    return await _remembered(session, filters, anywhere, _apart_from_place)


async def share_in_place(session: Connected, filters: Filters, total: int) -> float:
    """Which share of all services PostgreSQL expects in reach, at most."""
    keys = [(number, filters.near, filters.radius_km) for number in range(len(filters.conditions.axes()))]
    found = [await _remembered(session, key, filters, _on_axis, key[0]) for key in keys]
    return min((count / total for count in found), default=1)


async def reach(session: Connected, filters: Filters) -> int:
    """How many services it expects in reach, or fewer: it does not know that latitude and longitude go together."""
    return await _remembered(session, (filters.near, filters.radius_km), filters, _in_reach)


def _apart_from_place(conditions: Conditions) -> Select[Any]:
    return explanation(SERVICES, *LISTED, *conditions.apart_from_place())


def _on_axis(conditions: Conditions, number: int) -> Select[Any]:
    return explanation(SERVICES, *LISTED, conditions.axes()[number])


def _in_reach(conditions: Conditions) -> Select[Any]:
    assert conditions.near  # noqa: S101
    box = degrees_within(conditions.metres, conditions.near, SERVICES.c.lat, SERVICES.c.lng)
    return explanation(SERVICES, *LISTED, box)


async def _remembered(session: Connected, key: Hashable, filters: Filters, build: Build, *shape: Any) -> int:
    statistics = statistics_of(session)
    if (known := statistics.recall(key)) is not None:
        return known
    ((plan,),) = [row.values() for row in await rows(session, filters, build, *shape)]
    found = rows_expected(plan)
    statistics.note(key, found)
    return found
