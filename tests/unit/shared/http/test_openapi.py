"""A service's OpenAPI document says errors as they really are."""

from typing import Any

import pytest

from shared.http.openapi import REFUSALS
from shared.http.problems import SLUGS, Problem


def answer(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{name}"}


def responses(app: Any, path: str, method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = app.openapi()["paths"][path][method]["responses"]
    return found


def test_every_operation_may_answer_with_a_problem(app: Any) -> None:
    said = [
        operation["responses"]["default"] for item in app.openapi()["paths"].values() for operation in item.values()
    ]
    assert said == [answer("Error")] * len(said)
    assert len(said) == 8


def test_invalid_input_is_a_problem_and_frameworks_own_shape_is_gone(app: Any) -> None:
    assert responses(app, "/api/things/", "post")["422"] == answer("Invalid")
    assert {*app.openapi()["components"]["schemas"]} == {"OfferIn", "Problem", "ProblemField"}


@pytest.mark.parametrize(("status", "name"), [("401", "Unauthenticated"), ("503", "Unavailable")])
def test_what_needs_a_token_may_not_know_who_asks_and_what_needs_none_does_not_mind(
    app: Any, status: str, name: str
) -> None:
    assert responses(app, "/api/things/mine/")[status] == answer(name)
    assert status not in responses(app, "/api/things/")


def test_the_problems_that_a_route_names_are_in_it(app: Any) -> None:
    assert responses(app, "/api/things/")["404"] == answer("NotFound")


def test_what_takes_a_body_may_answer_400_and_what_takes_none_does_not(app: Any) -> None:
    assert responses(app, "/api/things/", "post")["400"] == answer("BadRequest")
    assert "400" not in responses(app, "/api/things/")


@pytest.mark.parametrize("status", sorted(REFUSALS))
def test_a_shared_answer_is_described_once_and_its_example_is_the_problem_it_says(app: Any, status: str) -> None:
    components = app.openapi()["components"]
    content = components["responses"][REFUSALS[status].name]["content"]["application/problem+json"]

    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    example = Problem.model_validate(content["example"])
    assert (example.status, example.type) == (int(status), SLUGS[int(status)])


def test_what_goes_well_says_so_by_its_status(app: Any) -> None:
    assert responses(app, "/api/things/")["200"]["description"] == "OK"


def test_a_parameter_that_may_be_left_out_is_not_said_to_be_null(app: Any) -> None:
    parameters = app.openapi()["paths"]["/api/things/mine/"]["get"]["parameters"]
    assert {parameter["name"]: parameter["schema"]["type"] for parameter in parameters} == {
        "limit": "integer",
        "cursor": "string",
    }


def test_the_document_is_made_once(app: Any) -> None:
    assert app.openapi() is app.openapi()
