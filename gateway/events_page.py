"""A page to read a service's AsyncAPI document with, made on the server: it runs no script."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from gateway.openapi import Document

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2430; max-width: 62rem; margin: 0 auto; padding: 1rem }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding-bottom: .5rem; border-bottom: 1px solid #d8dce4 }
nav b, a { color: #0b5cad }
h1 { margin: 1.5rem 0 .5rem } h2 { margin: 2.5rem 0 .5rem } h3 { margin: 2rem 0 .25rem }
h3 a { color: inherit; text-decoration: none } p { margin: .4rem 0; max-width: 46rem }
code { font: .9em ui-monospace, monospace; background: #f1f3f7; padding: .1em .3em; border-radius: 3px }
.scroll { overflow-x: auto } .quiet { color: #5a6273 }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #e6e9ef }
th { font-weight: 600; color: #5a6273 } th:first-child { width: 15rem } th:nth-child(2) { width: 20rem }
"""
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
"""The Content-Security-Policy under which the page looks as it should, and does nothing else."""
_HEADINGS: Final = {"send": "Sends", "receive": "Hears"}


def events_page(service: str, services: Sequence[str], document: Document) -> str:
    """The page of `service`'s document, as HTML."""
    title = escape(document["info"]["title"])
    links = [f"<b>{name}</b>" if name == service else _link(f"../../{name}/events/", name) for name in services]
    pages = [_link("./?as=json", "AsyncAPI 3.0 as JSON"), _link("../../swagger-ui/", "HTTP API")]
    parts = [f"<nav>{''.join([*links, *pages])}</nav>", f"<h1>{title}</h1>", _text(document["info"]["description"])]
    for action, heading in _HEADINGS.items():
        said = [op for op in document["operations"].values() if op["action"] == action]
        if said:
            parts += [f"<h2>{heading}</h2>", *(part for operation in said for part in _operation(document, operation))]
    if envelope := document["components"]["schemas"].get("Envelope"):
        parts += ['<h2 id="envelope">The envelope</h2>', _fields(document, envelope)]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    head += f'<link rel="icon" href="../../static/favicon.png"><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _operation(document: Document, operation: Document) -> Iterator[str]:
    channel = _resolved(document, operation["channel"])
    anchor = escape(f"{operation['action']}.{channel['address']}")
    yield f'<h3 id="{anchor}"><a href="#{anchor}"><code>{escape(channel["address"])}</code></a></h3>'
    if is_socket := "x-close-codes" in channel:
        yield _text(channel["description"])
    for message in (_resolved(document, _resolved(document, reference)) for reference in operation["messages"]):
        payload = message["payload"]
        if "allOf" in payload:  # an event: what is in the envelope
            payload = payload["allOf"][1]["properties"]["data"]
        else:
            yield f"<p><b>{escape(message['title'])}</b></p>"
        yield _text(message.get("summary") or "")
        yield _fields(document, payload)
    if is_socket:
        codes = channel["x-close-codes"].items()
        rows = "".join(f"<tr><td><code>{code}</code></td><td colspan=2>{_inline(why)}</td></tr>" for code, why in codes)
        yield f'<div class="scroll"><table><tr><th>closed with</th><th colspan=2>because</th></tr>{rows}</table></div>'
    else:
        yield f'<div class="quiet">{_text(channel["description"])}{_text(operation["description"])}</div>'


def _fields(document: Document, schema: Document) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{_inline(words)}</td></tr>"
        for name, kind, words in _rows(document, schema, "")
    )
    return f'<div class="scroll"><table><tr><th>field</th><th>type</th><th></th></tr>{rows}</table></div>'


def _rows(document: Document, schema: Document, prefix: str) -> Iterator[tuple[str, str, str]]:
    """(path, type, description) of each field; those of an object within follow it."""
    schema = _resolved(document, schema)
    for name, field in schema.get("properties", {}).items():
        field = _resolved(document, field)
        kinds = [_resolved(document, kind) for kind in field.get("anyOf", [field])]
        optional = "" if name in schema.get("required", ()) else ", may be left out"
        yield prefix + name, " or ".join(map(_kind, kinds)) + optional, field.get("description", "")
        for kind in kinds:
            yield from _rows(document, kind, f"{prefix}{name}.")


def _kind(schema: Document) -> str:
    if "const" in schema:
        return repr(schema["const"]).replace("'", '"')
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "anything"))


def _resolved(document: Document, node: Document) -> Document:
    """What a `$ref` refers to, or the node itself."""
    if "$ref" not in node:
        return node
    found: Any = document
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found  # type: ignore[no-any-return]


def _text(words: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in words.split("\n\n") if paragraph.strip())


def _inline(words: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))


def _link(address: str, words: str) -> str:
    return f'<a href="{address}">{words}</a>'
