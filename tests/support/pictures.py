"""Files to upload: pictures of every kind, and what only looks like one."""

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from PIL import Image

GPS = {1: "N", 2: (41.0, 18.0, 40.0), 3: "E", 4: (69.0, 14.0, 24.0)}
MAKE, ORIENTATION, GPS_IFD = 0x010F, 0x0112, 0x8825


def halves(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """Who made it, which way up, and where."""
    data = Image.Exif()
    data[MAKE], data[ORIENTATION], data[GPS_IFD] = "Secretphone", orientation, GPS
    return data


def png_that_says(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(bytes(1000)), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


def webp_that_says(width: int, height: int) -> bytes:
    sides = [struct.pack("<I", side - 1)[:3] for side in (width, height)]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"".join(sides)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_of_scans(extra: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    content = encoded(halves(), "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * extra + content[-2:]


NO_PICTURES: Mapping[str, bytes] = {
    "nothing": b"",
    "text": b"hello",
    "html": b"<html><script>alert(1)</script></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "gif": encoded(halves(), "GIF"),
    "tiff": encoded(halves(), "TIFF"),
    "bmp": encoded(halves(), "BMP"),
    "pdf": encoded(halves(), "PDF"),
    "jpeg's first bytes": b"\xff\xd8\xff\xe0" + bytes(100),
    "png's first bytes": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "webp's first bytes": webp_that_says(10, 10),
    "half a jpeg": encoded(halves(600, 400), "JPEG")[:-900],
    "half a png": encoded(Image.effect_noise((60, 40), 50))[:-900],
    "half a webp": encoded(Image.effect_noise((60, 40), 50), "WEBP")[:-400],
    "a jpeg of a thousand scans": jpeg_of_scans(1000),
}
BOMBS: Mapping[str, bytes] = {
    "png": png_that_says(50_000, 50_000),
    "a little too large": png_that_says(8000, 5001),
    "larger": png_that_says(9000, 9000),
    "webp": webp_that_says(60_000, 60_000),
}
