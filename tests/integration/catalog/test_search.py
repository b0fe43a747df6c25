"""What a search finds: words in either script of Uzbek, their forms, their beginnings, wherever they stand."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from marketplace.system import System
from services.catalog.models import Category, Service
from services.catalog.repo import lists, search
from services.catalog.service import indexing
from shared.db import Database
from shared.http.pagination import Cursor
from tests.integration.catalog.offers import category_id, falls_or_rises, find, forth_and_back, offer, titles
from tests.support.events import told, updated
from tests.support.people import Person, expect
from tests.support.waiting import eventually


@pytest.fixture
def database(system: System) -> Database:
    found: Database = system.apps["catalog"].state.platform.database
    return found


UZBEK = [
    ("Жўмрак таъмири", ["jo'mrak", "joʻmrak", "jo‘mrak", "jo’mrak", "jo`mrak", "jomrak", "Жўмрак", "ta'mir", "таъмир"]),
    ("Joʻmrak taʼmiri", ["жўмрак", "jo'mrak", "jo‘mrak ta’mir", "таъмири"]),
    ("Bog'dorchilik", ["боғдор", "bogʻdorchilik", "bog‘", "bogdorchilik"]),
    ("Ёрқин чироқ", ["yorqin", "ёрқин"]),
    ("Qurilish ishlari", ["қурилиш", "ишлари"]),
]
FORMS = [
    ("Уборка квартир", ["уборку", "квартиры", "уборкой квартиру", "квартира уборка"]),
    ("Ремонтируем стиральные машины", ["стиральных машин", "машина"]),
    ("Новогодняя ёлка", ["елка", "ёлки"]),
    ("Leaking taps repaired", ["leaks", "tap", "repairing", "repair tap"]),
    ("Cleaning of carpets", ["cleaned", "carpet cleans"]),
]


@pytest.mark.parametrize(("title", "searches"), UZBEK)
async def test_uzbek_is_found_in_either_script_and_with_any_apostrophes(
    http: httpx.AsyncClient, worker: Person, title: str, searches: list[str]
) -> None:
    await offer(worker, title)
    await offer(worker, "Boshqa narsa")

    for words in searches:
        assert await titles(http, worker=worker.id, search=words) == [title], words


@pytest.mark.parametrize(("title", "searches"), FORMS)
async def test_other_forms_of_a_word_are_found_in_russian_and_in_english(
    http: httpx.AsyncClient, worker: Person, title: str, searches: list[str]
) -> None:
    await offer(worker, title)
    await offer(worker, "Что-то другое, something else")

    for words in searches:
        assert await titles(http, worker=worker.id, search=words) == [title], words


async def test_what_is_being_typed_is_found_at_each_letter(http: httpx.AsyncClient, worker: Person) -> None:
    for title in ("Сантехника", "Plumbing", "Oʻzbek tili"):
        await offer(worker, title)

    for title, word in (("Сантехника", "сантехника"), ("Plumbing", "plumbing"), ("Oʻzbek tili", "ўзбек")):
        for letters in range(2, len(word) + 1):
            assert await titles(http, worker=worker.id, search=word[:letters]) == [title], word[:letters]


@pytest.mark.parametrize("words", ["santexn", "сантехник", "Сантехника", "plumbing", "plumb", "Gulnora", "гулнора"])
async def test_category_in_each_language_and_workers_name_are_searched(
    system: System, http: httpx.AsyncClient, worker: Person, words: str
) -> None:
    await told(system, updated(worker, 2, full_name="Gulnora Azimova"), "catalog")
    service = await offer(worker, category="plumbing")
    await offer(worker, category="plumbing", title="Azimova alone", description="x")

    found = await find(http, worker=worker.id, search=f"{words} Azimova T")

    assert [one["id"] for one in found] == [service["id"]]


async def test_all_words_have_to_be_there_wherever(http: httpx.AsyncClient, worker: Person) -> None:
    await offer(worker, "Piano", description="Настройка за час", category="music")

    assert await titles(http, worker=worker.id, search="piano настройка musiqa") == ["Piano"]
    assert await titles(http, worker=worker.id, search="piano violin") == []
    assert await titles(http, worker=worker.id, search="?!") == ["Piano"]


@pytest.mark.parametrize(
    "words", ["'", "a & | b", "\\", ":*", "!", "<->", "²", "_", "ь", "ъ ь", "ﷺ", "%", "щ" * 200, "the", "и"]
)
async def test_any_text_can_be_searched_for_in_any_order(http: httpx.AsyncClient, words: str) -> None:
    for ordering in ({}, {"ordering": "relevance"}, {"ordering": "price"}):
        await find(http, search=words, **ordering)
    expect(await http.get("/api/services/facets/", params={"search": words}), 200)


async def test_a_match_in_the_title_comes_before_category_and_description(
    http: httpx.AsyncClient, worker: Person
) -> None:
    await offer(worker, "In its category", category="plumbing")
    await offer(worker, "In the description", description="plumbing")
    await offer(worker, "Plumbing in the title")

    found = await titles(http, worker=worker.id, search="plumbing")

    assert found == ["Plumbing in the title", "In its category", "In the description"]


async def rate(database: Database, service_id: str, rating: str, reviews: int) -> None:
    async with database.session() as session:
        service = await session.get_one(Service, UUID(service_id))
        service.rating, service.review_count = Decimal(rating), reviews


async def test_of_what_matches_alike_the_better_rated_comes_first(
    http: httpx.AsyncClient, database: Database, worker: Person
) -> None:
    offers = [await offer(worker, "Violin") for _ in range(4)]
    for service, (rating, reviews) in zip(offers, [("5.00", 1), ("0", 0), ("4.80", 40), ("1.50", 9)], strict=True):
        await rate(database, service["id"], rating, reviews)

    found = await find(http, worker=worker.id, search="violin")

    assert [service["id"] for service in found] == [offers[number]["id"] for number in (2, 0, 1, 3)]


async def test_where_many_match_the_best_rated_of_them_are_ranked(
    http: httpx.AsyncClient, database: Database, worker: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "RANKED", 3)
    for number in range(5):
        service = await offer(worker, "Harp harp" if number == 4 else "Harp", description=str(number))
        await rate(database, service["id"], f"{5 - number}.00", 10)

    ranked = await forth_and_back(http, worker=worker.id, search="harp", limit=2)
    all_of_them = await forth_and_back(http, worker=worker.id, search="harp", ordering="-created_at", limit=2)

    assert [service["description"] for service in ranked] == ["0", "1", "2"]
    assert [service["description"] for service in all_of_them] == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    "ordering", ["created_at", "-created_at", "price", "-price", "rating", "-rating", "distance", "relevance", None]
)
async def test_pages_of_every_ordering_go_on_within_ties(
    http: httpx.AsyncClient, database: Database, worker: Person, ordering: str | None
) -> None:
    for number in range(9):
        where = {"location": {"lat": 41.3 + number // 3 / 100, "lng": 69.2}}
        title = "Harp" if number % 2 else "Harp harp"
        service = await offer(worker, title, price=f"{number // 4 + 1}.00", **where)
        await rate(database, service["id"], f"{number // 5 + 3}.00", 5)
    async with database.session() as session:
        tied = "UPDATE services SET created_at = '2026-01-01Z' WHERE worker_id = :id AND price < 3"
        await session.exec(text(tied).bindparams(id=UUID(worker.id)))
    query = {"worker": worker.id, "search": "harp", "near": "41.3,69.2", "limit": 2}

    found = await forth_and_back(http, **query, **({"ordering": ordering} if ordering else {}))

    assert len(found) == 9
    field = {"distance": "distance_km", "relevance": "title", None: "title"}.get(ordering, (ordering or "").strip("-"))
    if field == "title":  # what says it more often matches better
        keys = [(service["title"] != "Harp", service["rating"], service["id"]) for service in found]
        assert falls_or_rises(keys, descending=True)
    else:
        keys = [(service[field], service["id"]) for service in found]
        assert falls_or_rises(keys, descending=(ordering or "").startswith("-"))


@pytest.mark.parametrize("ordering", ["relevance", "price"])
async def test_a_cursor_of_another_ordering_is_refused(http: httpx.AsyncClient, worker: Person, ordering: str) -> None:
    for _ in range(2):
        await offer(worker, "Harp")
    page = expect(await http.get("/api/services/", params={"search": "harp", "limit": 1, "ordering": ordering}), 200)

    other = "relevance" if ordering == "price" else "price"
    problem = expect(await http.get(page["next"].replace(f"ordering={ordering}", f"ordering={other}")), 422)

    assert [error["field"] for error in problem["errors"]] == ["cursor"]


async def test_relevance_is_to_what_is_searched_for(http: httpx.AsyncClient) -> None:
    problem = expect(await http.get("/api/services/", params={"ordering": "relevance"}), 422)

    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("ordering", "needs_search")]


async def test_a_search_combines_with_all_other_filters(http: httpx.AsyncClient, worker: Person) -> None:
    here: dict[str, Any] = {"location": {"lat": 41.3, "lng": 69.2}, "city": "Ташкент", "category": "music"}
    wanted = await offer(worker, "Skripka darslari", price="200.00", **here)
    await offer(worker, "Skripka darslari", price="300.00", **here)
    await offer(worker, "Skripka darslari", price="200.00", **here | {"city": "Бухара"})
    await offer(worker, "Skripka darslari", price="200.00", **here | {"category": "cleaning"})
    await offer(worker, "Skripka darslari", price="200.00", **here | {"location": {"lat": 41.5, "lng": 69.2}})
    await offer(worker, "Pianino darslari", price="200.00", **here)
    query = {"worker": worker.id, "search": "скрипка", "category": "lessons", "city": "ТАШКЕНТ", "max_price": "250"}

    for ordering in ("-created_at", "price", "-rating", "distance", "relevance"):
        found = await find(http, **query, near="41.3,69.2", ordering=ordering)
        assert [service["id"] for service in found] == [wanted["id"]], ordering


async def test_a_service_is_found_by_its_new_words_alone(http: httpx.AsyncClient, worker: Person) -> None:
    old, new = (f"q{uuid4().hex[:8]}" for _ in range(2))
    offered = await offer(worker, old, category="computers")
    path = f"/api/services/{offered['id']}/"
    await change(worker, path, {"title": new})
    assert await titles(http, search=new) == [new]
    assert await titles(http, search=old) == []

    await change(worker, path, {"description": old, "category_id": await category_id(http, "gardening")})
    assert await titles(http, search=f"{old} gardening") == [new]
    assert await titles(http, search=f"{old} computers") == []


async def change(worker: Person, path: str, changes: Any) -> None:
    expect(await worker.http.patch(path, json=changes, headers=worker.headers), 200)


async def test_what_moves_is_near_another_place(http: httpx.AsyncClient, worker: Person) -> None:
    there, here = {"lat": 41.0, "lng": 69.0}, {"lat": 39.0, "lng": 66.0}
    offered = await offer(worker, location=there)

    async def near(place: dict[str, float]) -> list[str]:
        found = await find(http, near=f"{place['lat']},{place['lng']}", radius_km=1, worker=worker.id)
        return [each["id"] for each in found]

    for places, there_is in (({"location": here}, here), ({"location": None}, None)):
        await change(worker, f"/api/services/{offered['id']}/", places)
        assert await near(there) == []
        assert await near(here) == ([offered["id"]] if there_is else [])


async def test_a_worker_is_found_by_their_new_name_alone(
    system: System, http: httpx.AsyncClient, worker: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BATCH", 2)
    for _ in range(5):
        await offer(worker)

    await told(system, updated(worker, 2, full_name="Gulnora"), "catalog")

    assert len(await find(http, worker=worker.id, search="gulnora")) == 5
    assert await find(http, worker=worker.id, search="worker") == []


@pytest.fixture
def renamed(database: Database) -> Any:
    """Give a category another name in each language."""

    async def rename(slug: str, name: str) -> None:
        async with database.session() as session:
            names = f'{{"uz": "{name}", "ru": "{name}", "en": "{name}"}}'
            changed = text("UPDATE categories SET names = CAST(:names AS jsonb) WHERE slug = :slug")
            await session.exec(changed.bindparams(names=names, slug=slug))

    return rename


async def test_services_are_found_by_the_new_name_of_their_category_alone(
    http: httpx.AsyncClient, renamed: Any, worker: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BATCH", 2)
    word = f"trade{uuid4().hex[:8]}"
    await renamed("childcare", word)
    for _ in range(5):
        await offer(worker, category="childcare")

    async def found(name: str) -> int:
        return len(await find(http, worker=worker.id, search=name))

    assert await found(word) == 5  # at once: each was written with the name of the moment
    await renamed("childcare", "Parvarish")
    await eventually(lambda: _is(found("Парвариш"), 5))
    assert await found(word) == 0


async def _is(value: Any, wanted: int) -> bool:
    return bool(await value == wanted)


async def test_what_is_offered_while_its_category_is_renamed_is_found_by_the_new_name(
    database: Database, renamed: Any, worker: Person, http: httpx.AsyncClient
) -> None:
    word = f"trade{uuid4().hex[:8]}"
    service = await offer(worker, category="photography")
    async with database.session() as session:
        held = await session.get_one(Service, UUID(service["id"]))
        names = await search.hold_names(session, {held.category_id})
        held.search = search.search_vector(search.search_texts("T", "", None, names[held.category_id]))
        renaming = asyncio.create_task(renamed("photography", word))

        async def waits() -> bool:
            async with database.session() as looking:
                waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%categories%'"
                return (await looking.exec(text(waiting))).first() is not None

        await eventually(waits)
    await renaming

    async def found() -> list[Any]:
        return await find(http, worker=worker.id, search=word)

    assert len(await eventually(found)) == 1


async def test_what_was_written_without_its_words_is_found_soon(
    http: httpx.AsyncClient, database: Database, worker: Person
) -> None:
    service = await offer(worker, "Klarnet")
    async with database.session() as session:
        written = await session.get_one(Service, UUID(service["id"]))
        written.search = None

    async def found() -> list[str]:
        return await titles(http, worker=worker.id, search="кларнет")

    assert await eventually(found) == ["Klarnet"]


async def test_once_all_is_indexed_there_is_nothing_to_do(database: Database) -> None:
    await indexing.index(database)

    async with database.session() as session:
        assert await search.renamed_categories(session) == []
        assert await search.index_unindexed(session) == 0
        categories = (await session.exec(text("SELECT count(*) FROM categories WHERE indexed_names = names"))).one()[0]
        assert categories == (await session.exec(text(f"SELECT count(*) FROM {Category.__tablename__}"))).one()[0]


@pytest.mark.parametrize("ordering", ["relevance", "distance", "price", "-rating"])
@pytest.mark.parametrize("number", ["2147483648", str(2**63 - 1), "999999999999"])
async def test_a_number_that_no_column_has_makes_a_cursor_no_error(
    http: httpx.AsyncClient, worker: Person, ordering: str, number: str
) -> None:
    await offer(worker, "Leaking tap repair", location={"lat": 41.3, "lng": 69.2})
    values = [number, "0.5", str(uuid4())] if ordering == "relevance" else [number, str(uuid4())]
    query = {"search": "tap", "near": "41.3,69.2", "ordering": ordering, "cursor": Cursor(values, False).encode()}

    answer = await http.get("/api/services/", params=query)

    assert answer.status_code in (200, 422), answer.text
