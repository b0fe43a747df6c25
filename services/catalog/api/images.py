"""Routes of pictures, and of their files."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from services.catalog.flows import ImageFlows
from services.catalog.schemas import ImageOut
from services.catalog.service import images as service
from shared.auth.users import Worker
from shared.db import release
from shared.errors import Invalid, MarketplaceError, NotFound, invalid_field
from shared.http.preconditions import ANYTHING, entity_tags
from shared.http.problems import problems
from shared.http.service import DbSession

images = APIRouter(prefix="/api/services", tags=["services"])
media = APIRouter(prefix="/media", include_in_schema=False)

MAX_BYTES = 8 * 2**20
FORM_BYTES = 16 * 2**10
"""What a form may take around its file."""
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {
                            "type": "string",
                            "contentMediaType": "application/octet-stream",
                            "description": "JPEG, PNG or WebP; at most 8 MiB and 40 megapixels",
                        }
                    },
                    "required": ["image"],
                    "additionalProperties": False,
                },
                "encoding": {"image": {"contentType": "image/jpeg, image/png, image/webp"}},
            }
        },
    }
}
FOREVER = "public, max-age=31536000, immutable"


class TooLarge(MarketplaceError):
    status = 413
    slug, title = "content-too-large", "Content too large"


async def _flows(request: Request) -> ImageFlows:
    flows: ImageFlows = request.app.state.image_flows
    return flows


Flows = Annotated[ImageFlows, Depends(_flows)]


@images.post(
    "/{service_id:uuid}/images/",
    status_code=201,
    response_model=ImageOut,
    responses=problems(403, 404, 409, 413, 503),
    openapi_extra=FORM,
)
async def add_image(service_id: UUID, by: Worker, request: Request, session: DbSession, flows: Flows) -> dict[str, Any]:
    """Show one more picture of your service, after those it has. Of the file nothing is kept but what is to be seen.

    A service that waits for moderators when its words change waits for them again.
    """
    await service.check_room(session, service_id, by.id)  # before eight megabytes are read for nothing
    await release(session)
    moderated = request.app.state.settings.moderate_new_services
    return await flows.add(service_id, by.id, await _uploaded(request), moderated=moderated)


@images.delete("/{service_id:uuid}/images/{image_id}/", status_code=204, responses=problems(403, 404))
async def remove_image(service_id: UUID, image_id: UUID, by: Worker, session: DbSession) -> None:
    """Take a picture from your service."""
    await service.remove(session, service_id, image_id, by.id)


@media.get("/services/{file}")
async def read_file(file: str, request: Request, session: DbSession, flows: Flows) -> Response:
    key = await service.key_of(session, file)
    await release(session)
    headers = {"ETag": f'"{file.removesuffix(".webp")}"', "Cache-Control": FOREVER}
    known = entity_tags(request.headers.getlist("if-none-match"), weak=True)
    if not known.isdisjoint({headers["ETag"], ANYTHING}):
        return Response(status_code=304, headers=headers)
    content = await flows.storage.read(key)
    if content is None:
        raise NotFound("There is no such picture.")
    return Response(content, media_type="image/webp", headers=headers)


async def _uploaded(request: Request) -> bytes:
    """The one file of the form. Raise `TooLarge` as soon as more than that comes, and `Invalid` for any other form."""
    came = 0

    async def receive() -> Message:
        nonlocal came
        message = await request.receive()
        came += len(message.get("body", b""))
        if came > MAX_BYTES + FORM_BYTES:
            raise _too_large()
        return message

    if int(request.headers.get("content-length", 0)) > MAX_BYTES + FORM_BYTES:
        raise _too_large()
    try:
        async with Request(request.scope, receive).form(max_files=2, max_fields=2, max_part_size=FORM_BYTES) as form:
            return await _file_of(form)
    except ClientDisconnect:
        raise HTTPException(400, "The body ended too early.") from None


async def _file_of(form: FormData) -> bytes:
    if surplus := sorted(form.keys() - {"image"}):
        message, code = "Extra inputs are not permitted", "extra_forbidden"
        raise Invalid(errors=[{"field": name, "message": message, "code": code} for name in surplus])
    match form.getlist("image"):
        case [UploadFile() as file]:
            content = await file.read()
        case _:
            raise invalid_field("image", "Send one file, in the field image of a multipart form", "one_file")
    if len(content) > MAX_BYTES:
        raise _too_large()
    return content


def _too_large() -> TooLarge:
    return TooLarge(f"A picture has at most {MAX_BYTES // 2**20} MiB.")
