"""What a worker may say of themselves, and who finds out which category is meant."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from services.accounts.repo.workers import Order
from services.accounts.schemas.workers import WorkerChangesIn, WorkerIn
from services.accounts.service import categories as categories_module
from services.accounts.service.categories import ASK_AGAIN_AFTER, FRESH_FOR, MOST, Categories
from shared.http.internal import OwnerAway


def test_what_is_left_out_of_a_whole_profile_becomes_empty() -> None:
    assert WorkerIn().model_dump() == {
        "bio": "",
        "skills": [],
        "languages": [],
        "hourly_rate": None,
        "city": None,
        "location": None,
        "service_radius_km": None,
        "is_available": True,
    }


def test_what_is_left_out_of_changes_is_none() -> None:
    assert WorkerChangesIn().model_dump(exclude_unset=True) == {}
    assert WorkerChangesIn(city=None).model_dump(exclude_unset=True) == {"city": None}
    assert not [field for field in WorkerChangesIn.model_json_schema()["properties"].values() if "default" in field]
    assert all("default" in field for field in WorkerIn.model_json_schema()["properties"].values())


def test_skills_are_each_once_as_first_spelled() -> None:
    skills = WorkerIn(skills=[" Plumbing ", "tiles", "PLUMBING", "Сантехника", "сантехника", "Tiles"]).skills
    assert skills == ["Plumbing", "tiles", "Сантехника"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bio", "x" * 5001),
        ("bio", "a\x00b"),
        ("bio", None),
        ("skills", ["x"] * 31),
        ("skills", ["x" * 61]),
        ("skills", [" "]),
        ("skills", None),
        ("languages", ["UZ"]),
        ("languages", ["uzb"]),
        ("languages", ["uz"] * 11),
        ("hourly_rate", "0"),
        ("hourly_rate", "1.001"),
        ("city", ""),
        ("location", {"lat": 1}),
        ("service_radius_km", 0),
        ("service_radius_km", 501),
        ("is_available", None),
        ("rating", "5.00"),
        ("full_name", "Someone Else"),
        ("is_listed", True),
        ("version", 1),
    ],
)
@pytest.mark.parametrize("model", [WorkerIn, WorkerChangesIn])
def test_what_a_profile_can_not_hold_is_refused_by_name(model: type[WorkerIn], field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate({field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


def test_the_orderings_of_a_list_are_those_of_the_contract() -> None:
    assert {*Order} == {"created_at", "-created_at", "rating", "-rating", "distance"}


class Catalog:
    """What catalog says, how often it was asked, and whether it is away."""

    def __init__(self) -> None:
        self.tree: dict[str, list[UUID]] = {}
        self.asked: list[str] = []
        self.away = False

    async def find(self, target: str, path: str) -> dict[str, Any] | None:
        assert target == "catalog"
        self.asked.append(path)
        if self.away:
            raise OwnerAway("away")
        ids = self.tree.get(path.removeprefix("/internal/categories/").removesuffix("/"))
        return None if ids is None else {"ids": [str(id_) for id_ in ids]}


class IdleSession:
    """Has nothing to give back."""

    new = dirty = deleted = ()
    info: dict[str, Any] = {}  # noqa: RUF012

    async def commit(self) -> None:
        pass


@pytest.fixture
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def ids(catalog: Catalog) -> Callable[[str], Any]:
    internal: Any = catalog
    session: Any = IdleSession()
    categories = Categories(internal)
    return lambda slug_or_id: categories.ids(session, slug_or_id)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(categories_module, "time", clock)
    return clock


async def test_a_category_is_asked_for_once_a_minute(catalog: Catalog, ids: Any, clock: Any) -> None:
    before, after = [uuid4(), uuid4()], [uuid4()]
    catalog.tree["plumbing"] = before
    assert await ids("plumbing") == before
    catalog.tree["plumbing"] = after

    clock.now += FRESH_FOR - 1
    assert await ids("plumbing") == before
    clock.now += 2
    assert await ids("plumbing") == after
    assert len(catalog.asked) == 2


async def test_a_category_that_catalog_does_not_know_is_empty_and_remembered(catalog: Catalog, ids: Any) -> None:
    assert await ids("nonsense") == await ids("nonsense") == []
    assert len(catalog.asked) == 1


async def test_while_catalog_is_away_an_old_answer_serves_and_it_is_asked_now_and_then(
    catalog: Catalog, ids: Any, clock: Any
) -> None:
    known = catalog.tree["plumbing"] = [uuid4()]
    await ids("plumbing")
    catalog.away = True
    clock.now += FRESH_FOR + 1

    assert [await ids("plumbing") for _ in range(3)] == [known] * 3
    assert len(catalog.asked) == 2
    clock.now += ASK_AGAIN_AFTER + 1
    assert await ids("plumbing") == known
    assert len(catalog.asked) == 3


async def test_what_was_never_said_can_not_be_told_while_catalog_is_away(catalog: Catalog, ids: Any) -> None:
    catalog.away = True
    with pytest.raises(OwnerAway):
        await ids("plumbing")


@pytest.mark.parametrize("text", ["../users/1", "a?b=c", "a#b", "a%2Fb", "ü ber", "a\x00\r\n"])
async def test_no_text_leaves_its_place_in_the_address(catalog: Catalog, ids: Any, text: str) -> None:
    await ids(text)

    (path,) = catalog.asked
    inner = path.removeprefix("/internal/categories/").removesuffix("/")
    assert inner.isascii()
    assert not {*"/?#\x00\r\n "} & {*inner}


@pytest.mark.parametrize("dots", [".", ".."])
async def test_dots_are_no_category(catalog: Catalog, ids: Any, dots: str) -> None:
    assert await ids(dots) == []
    assert catalog.asked == []


async def test_who_asks_for_ever_new_categories_fills_no_memory(catalog: Catalog, ids: Any) -> None:
    for number in range(MOST + 10):
        await ids(str(number))
    catalog.asked.clear()

    await ids(str(MOST + 9))
    assert catalog.asked == []
    await ids("0")
    assert len(catalog.asked) == 1
