from services.catalog.domain import Order


def test_the_orderings_of_a_list_are_those_of_the_contract() -> None:
    assert {*Order} == {"created_at", "-created_at", "price", "-price", "rating", "-rating", "distance", "relevance"}
