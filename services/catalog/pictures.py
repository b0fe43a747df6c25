"""What becomes of an uploaded file: a picture in three sizes of ours, or a refusal. Nothing else of it is kept."""

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO

import structlog
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from shared.errors import Unavailable, invalid_field

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 40_000_000
MAX_SCANS = 50
"""Of a progressive JPEG; usual are ten. Each costs a pass over all pixels, and a few bytes are enough for one."""
THREADS = 1
"""The largest pictures take up to 0.7 GB while they are decoded."""
QUEUE = 8
"""Pictures that may wait for that. Of usual ones, the last is done before the gateway loses patience."""

log = structlog.get_logger("catalog")

# Pillow itself refuses what claims to have twice as many, before it takes memory for them.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class Size(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


LONG_SIDE = {Size.LARGE: 1600, Size.MEDIUM: 800, Size.SMALL: 320}
"""Pixels, at most: a smaller picture stays as small as it is."""


@dataclass(frozen=True)
class Picture:
    """A picture as WebP, upright, in sRGB, and without metadata."""

    width: int
    height: int
    """Of the large one."""
    files: Mapping[Size, bytes] = field(repr=False)


class Decoder:
    """Decodes and encodes off the event loop, a bounded number at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "pictures")
        self._under_way = 0

    async def picture(self, content: bytes) -> Picture:
        """Raise `Invalid` for what is no picture, or too large a one, and `Unavailable` where too many wait already."""
        if self._under_way >= THREADS + QUEUE:
            raise Unavailable("Too many pictures at once; please try again in a moment.")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, to_picture, content)
        finally:
            self._under_way -= 1


def to_picture(content: bytes) -> Picture:
    """What `content` is, is told by itself and never by its name or type. Raise `Invalid`."""
    try:
        file = Image.open(BytesIO(content), formats=FORMATS)
        if file.width * file.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if _scans(content) > MAX_SCANS:
            raise UnidentifiedImageError
        image = _plain(file)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise invalid_field(
            "image", f"This has more than {MAX_PIXELS // 10**6} megapixels", "too_many_pixels"
        ) from None
    except Exception as error:  # decoders raise nearly anything at what they did not expect
        log.info("picture_refused", error=type(error).__name__)
        raise invalid_field("image", "This can't be read as a JPEG, PNG or WebP picture", "no_picture") from None
    width, height = image.size
    files = {}
    for size, pixels in LONG_SIDE.items():
        image.thumbnail((pixels, pixels))
        files[size] = _encoded(image)
    return Picture(width, height, files)


def _plain(image: Image.Image) -> Image.Image:
    """The first frame, upright, in sRGB, no larger than the largest size, and nothing but its pixels."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16 bits of grey; converting alone would make all but the darkest white
        image = image.point(lambda value: value / 256).convert("L")
    elif image.has_transparency_data and image.mode != "RGBA":
        image = image.convert("RGBA")
    elif image.mode in ("1", "P"):
        image = image.convert("RGB")
    largest = max(LONG_SIDE.values())
    image.thumbnail((largest, largest))
    image = ImageOps.exif_transpose(image)
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile:
        image = _in_srgb(image, profile, mode)
    image = image.convert(mode)
    image.info.clear()
    return image


def _in_srgb(image: Image.Image, profile: bytes, mode: str) -> Image.Image:
    try:
        converted = ImageCms.profileToProfile(image, BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=mode)
    except ImageCms.PyCMSError:
        return image  # a profile of something else: the colours have to do as they are
    return converted or image


def _encoded(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", quality=80, method=2)  # half the time of the default, for a few more bytes
    return file.getvalue()


_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
"""Of a JPEG, those that end a scan: not escaped data, and not the ones that stand alone."""
_START_OF_SCAN, _END_OF_IMAGE = b"\xda", b"\xd9"


def _scans(content: bytes) -> int:
    """How many scans a JPEG has, by its markers as a decoder finds them; of another file 0."""
    scans, at = 0, 2
    while content.startswith(b"\xff\xd8") and (marker := _MARKER.search(content, at)) and marker[1] != _END_OF_IMAGE:
        scans += marker[1] == _START_OF_SCAN
        at = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2])
    return scans
