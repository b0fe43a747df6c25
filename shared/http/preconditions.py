"""Editing what one has seen and nothing newer: `If-Match` (RFC 9110, 13.1.1)."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header
from pydantic import WithJsonSchema

from shared.errors import PreconditionFailed

_TAG = re.compile(r'(?:^|,)\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?=,|$)')
"""An entity tag (RFC 9110, 8.8.3) in a list; it may hold commas itself."""
ANYTHING = "*"


def version_tag(version: int) -> str:
    """The `ETag` of an edited thing that is no public page."""
    return f'"{version}"'


def entity_tags(lines: Sequence[str], *, weak: bool) -> set[str]:
    """The tags that a header lists, in their quotes, or `ANYTHING` alone; what is no tag names nothing.

    `weak` says whether a weak tag counts as the strong one of the same text.
    """
    listed = ",".join(lines)
    if listed.strip() == ANYTHING:
        return {ANYTHING}
    return {tag[2] for tag in _TAG.finditer(listed) if weak or not tag[1]}


class Precondition:
    """The versions that a caller is content to change; without the header any."""

    def __init__(self, if_match: list[str] | None) -> None:
        self._tags = None if if_match is None else entity_tags(if_match, weak=False)

    def check(self, version: int) -> None:
        """Raise `PreconditionFailed` unless `version` is named, as `"<version>"` or as a public answer's longer tag."""
        if self._tags is None or ANYTHING in self._tags:
            return
        if str(version) not in {tag.strip('"').partition(".")[0] for tag in self._tags}:
            raise PreconditionFailed(f"This has changed meanwhile: its version is {version} now.", version=version)


async def _precondition(
    if_match: Annotated[
        Annotated[list[str], WithJsonSchema({"type": "string"})] | None,  # several lines are one with commas
        Header(
            alias="If-Match",
            description='`ETag` of what you have seen, `"3"`: 412 unless that is still its version',
        ),
    ] = None,
) -> Precondition:
    return Precondition(if_match)


IfMatch = Annotated[Precondition, Depends(_precondition)]
