"""One OpenAPI document out of several: what clients reach through the gateway, and no more."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from importlib.resources import files
from typing import Any, Final

from gateway.routes import find_route

Document = dict[str, Any]
Component = tuple[str, str]
"""Section and name: `("schemas", "Order")`."""

_PREFIX = "#/components/"
_ABOUT: Final = files("gateway").joinpath("about_the_api.md").read_text()
_OWN_ANSWERS: Final = {"429": "TooManyRequests", "503": "Unavailable"}
"""What the gateway may answer to any request, as the services' documents name it."""
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def public_part(service: str, document: Document) -> Document:
    """A service's document without the paths that are not routed to it, and without what only those used; with what
    stands between it and its clients."""
    paths = {path: deepcopy(item) for path, item in document.get("paths", {}).items() if _is_routed(path, service)}
    components = document.get("components", {})
    own = {status: name for status, name in _OWN_ANSWERS.items() if name in components.get("responses", {})}
    for operation in _operations({"paths": paths}):
        answers = {status: {"$ref": f"{_PREFIX}responses/{name}"} for status, name in own.items()}
        operation["responses"] = dict(sorted((answers | operation["responses"]).items()))
    used = _closure(paths, components)
    kept = {
        section: {name: value for name, value in named.items() if (section, name) in used}
        for section, named in components.items()
    }
    return document | {"servers": [{"url": "/"}], "paths": paths, "components": kept}


def join(documents: Mapping[str, Document | None]) -> Document:
    """One document of all services. Those whose document is None are named in `x-unavailable`.

    Each operation is tagged with its service. Components and operationIds that mean different things in different
    services get the service's name in front; components that are the same are there once.
    """
    known = {service: public_part(service, document) for service, document in documents.items() if document}
    renamed = _colliding_components(known)
    operation_ids = Counter(op.get("operationId") for document in known.values() for op in _operations(document))
    paths: Document = {}
    components: dict[str, Document] = defaultdict(dict)
    for service, document in known.items():

        def rename(component: Component, service: str = service) -> str:
            return f"{service}_{component[1]}" if component in renamed else component[1]

        own = _with_names(document, rename)
        for operation in _operations(own):
            operation["tags"] = [service]
            if (name := operation.get("operationId")) and operation_ids[name] > 1:
                operation["operationId"] = f"{service}_{name}"
        paths |= own["paths"]
        for section, named in own["components"].items():
            for name, value in named.items():
                components[section][rename((section, name))] = _titled(value, rename((section, name)))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Service Marketplace",
            "version": "1.0",
            "description": _ABOUT,
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": doc["info"].get("description", "")} for name, doc in known.items()],
        "paths": paths,
        "components": dict(components),
        "x-unavailable": [service for service, document in documents.items() if not document],
    }


def _titled(component: Any, name: str) -> Any:
    """Generated clients name a type by its title, where it has one."""
    return component | {"title": name} if "title" in component else component


def _is_routed(path: str, service: str) -> bool:
    route = find_route(path)
    return route is not None and route.service == service


def _colliding_components(documents: Mapping[str, Document]) -> set[Component]:
    """Components that several services have and mean differently, be it only by what they refer to."""
    definitions: dict[Component, list[Any]] = defaultdict(list)
    for document in documents.values():
        for section, named in document["components"].items():
            for name, value in named.items():
                definitions[section, name].append(value)
    shared = {component: found for component, found in definitions.items() if len(found) > 1}
    colliding = {component for component, found in shared.items() if any(value != found[0] for value in found)}
    while more := {c for c, found in shared.items() if c not in colliding and not colliding.isdisjoint(_uses(found))}:
        colliding |= more
    return colliding


def _closure(paths: Document, components: Document) -> set[Component]:
    """The components that `paths` use, and those that these use, and so on."""
    used: set[Component] = set()
    waiting = set(_uses(paths))
    while waiting:
        section, name = component = waiting.pop()
        used.add(component)
        waiting |= set(_uses(components.get(section, {}).get(name))) - used
    return used


def _uses(node: Any) -> Iterator[Component]:
    """The components that a piece of a document names: by `$ref`, in a discriminator's mapping, as security."""
    if isinstance(node, str) and (component := _referred(node)):
        yield component
    elif isinstance(node, list):
        for value in node:
            yield from _uses(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if _is_security(key, value):
                yield from (("securitySchemes", name) for requirement in value for name in requirement)
            else:
                yield from _uses(value)


def _with_names(node: Any, rename: Callable[[Component], str]) -> Any:
    """A copy in which every use of a component has its new name."""
    if isinstance(node, str):
        return f"{_PREFIX}{c[0]}/{rename(c)}" if (c := _referred(node)) else node
    if isinstance(node, list):
        return [_with_names(value, rename) for value in node]
    if not isinstance(node, dict):
        return node
    return {
        key: [{rename(("securitySchemes", name)): scopes for name, scopes in r.items()} for r in value]
        if _is_security(key, value)
        else _with_names(value, rename)
        for key, value in node.items()
    }


def _referred(text: str) -> Component | None:
    if not text.startswith(_PREFIX):
        return None
    section, _, name = text.removeprefix(_PREFIX).partition("/")
    return section, name


def _is_security(key: str, value: Any) -> bool:
    return key == "security" and isinstance(value, list) and all(isinstance(requirement, dict) for requirement in value)


def _operations(document: Document) -> Iterator[Document]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method in _METHODS)
