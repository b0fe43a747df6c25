"""What becomes of an uploaded file."""

import asyncio
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from PIL import Image, ImageCms

from services.catalog import pictures
from services.catalog.pictures import Decoder, Picture, Size, to_picture
from shared.errors import Invalid, Unavailable
from tests.support.pictures import BOMBS, NO_PICTURES, encoded, exif, halves, jpeg_of_scans


def opened(picture: Picture, size: Size = Size.LARGE) -> Image.Image:
    return Image.open(BytesIO(picture.files[size]))


def colours(picture: Picture) -> tuple[str, str]:
    """What stands left and right."""
    image = opened(picture).convert("RGB")
    return tuple(  # type: ignore[return-value]
        name_of(image.getpixel((x, image.height // 2))) for x in (image.width // 8, image.width * 7 // 8)
    )


def name_of(colour: Any) -> str:
    known = {"red": (255, 0, 0), "blue": (0, 0, 255), "white": (255, 255, 255), "black": (0, 0, 0), "grey": (128,) * 3}
    near = [name for name, value in known.items() if max(abs(a - b) for a, b in zip(value, colour, strict=True)) < 40]
    return near[0] if near else str(colour)


def refusal(content: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        to_picture(content)
    (error,) = refused.value.members["errors"]
    assert error["field"] == "image"
    return str(error["code"])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encoded(halves(), "JPEG"), id="jpeg"),
        pytest.param(encoded(halves(), "JPEG", progressive=True), id="progressive jpeg"),
        pytest.param(encoded(halves(mode="CMYK"), "JPEG"), id="cmyk jpeg"),
        pytest.param(encoded(halves(), "MPO", save_all=True, append_images=[halves()]), id="a phone's jpeg of two"),
        pytest.param(encoded(halves()), id="png"),
        pytest.param(encoded(halves(mode="P")), id="palette png"),
        pytest.param(encoded(halves(mode="RGBA")), id="png with alpha"),
        pytest.param(encoded(halves(), "WEBP"), id="webp"),
        pytest.param(encoded(halves(), "WEBP", lossless=True), id="lossless webp"),
        pytest.param(
            encoded(halves(), "WEBP", save_all=True, append_images=[Image.new("RGB", (60, 40), "black")]),
            id="animated webp",
        ),
        pytest.param(
            encoded(halves(), save_all=True, append_images=[Image.new("RGB", (60, 40), "black")]), id="animated png"
        ),
    ],
)
def test_every_kind_of_picture_becomes_webp_and_looks_the_same(content: bytes) -> None:
    picture = to_picture(content)

    assert (picture.width, picture.height) == (60, 40)
    assert {opened(picture, size).format for size in Size} == {"WEBP"}
    assert not getattr(opened(picture), "is_animated", False)
    assert colours(picture) == ("red", "blue")


def test_grey_of_1_8_and_16_bits_keeps_its_shades() -> None:
    deep = Image.new("I;16", (60, 40), 128 * 256)
    deep.paste(0xFFFF, (30, 0, 60, 40))
    flat = Image.new("L", (60, 40), 128)
    flat.paste(255, (30, 0, 60, 40))
    bits = Image.new("1", (60, 40), 0)
    bits.paste(1, (30, 0, 60, 40))

    assert colours(to_picture(encoded(deep))) == colours(to_picture(encoded(flat))) == ("grey", "white")
    assert colours(to_picture(encoded(bits))) == ("black", "white")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_what_can_be_seen_through_still_can(mode: str) -> None:
    image = Image.new("RGBA", (60, 40), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (30, 0, 60, 40))
    options: dict[str, Any] = {}
    if mode == "P":
        image, options = halves(mode="P"), {}
        options["transparency"] = image.getpixel((0, 0))
    elif mode != "PA":
        image = image.convert(mode)

    shown = opened(to_picture(encoded(image, **options)))

    assert shown.mode == "RGBA"
    assert [shown.getpixel((x, 20))[3] for x in (5, 55)] == [0, 255]  # type: ignore[index]


@pytest.mark.parametrize(
    ("size", "small", "medium", "large"),
    [
        ((4000, 3000), (320, 240), (800, 600), (1600, 1200)),
        ((900, 1800), (160, 320), (400, 800), (800, 1600)),
        ((1000, 500), (320, 160), (800, 400), (1000, 500)),
        ((1, 1), (1, 1), (1, 1), (1, 1)),
        ((10000, 2), (320, 1), (800, 1), (1600, 1)),
    ],
)
def test_there_are_three_sizes_and_none_is_larger_than_the_picture(
    size: tuple[int, int], small: tuple[int, int], medium: tuple[int, int], large: tuple[int, int]
) -> None:
    picture = to_picture(encoded(halves(*size), "JPEG"))

    assert [opened(picture, size).size for size in Size] == [small, medium, large]
    assert (picture.width, picture.height) == large


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_is_left_of_where_and_by_whom_it_was_taken(kind: str) -> None:
    content = encoded(halves(), kind, exif=exif(), xmp=b"<x:xmpmeta>Secretphone</x:xmpmeta>")
    assert b"Secretphone" in content
    assert Image.open(BytesIO(content)).getexif().get_ifd(0x8825)

    picture = to_picture(content)

    for size in Size:
        assert dict(opened(picture, size).getexif()) == {}
        assert opened(picture, size).info.keys().isdisjoint({"exif", "xmp", "icc_profile", "comment"})
        assert b"Secretphone" not in picture.files[size]


@pytest.mark.parametrize(
    ("orientation", "size", "seen"),
    [
        (1, (60, 40), ("red", "blue")),
        (2, (60, 40), ("blue", "red")),
        (3, (60, 40), ("blue", "red")),
        (4, (60, 40), ("red", "blue")),
        (6, (40, 60), None),
        (8, (40, 60), None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_upright(kind: str, orientation: int, size: tuple[int, int], seen: tuple[str, str] | None) -> None:
    picture = to_picture(encoded(halves(), kind, exif=exif(orientation)))

    assert (picture.width, picture.height) == size
    if seen:
        assert colours(picture) == seen
    else:
        top = opened(picture).convert("RGB").getpixel((20, 5))
        assert name_of(top) == ("red" if orientation == 6 else "blue")


def test_colours_of_another_profile_are_translated_and_one_that_is_none_is_passed_over() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))

    for profile in (srgb.tobytes(), lab.tobytes(), b"Secretphone" * 20):
        picture = to_picture(encoded(halves(), icc_profile=profile))
        assert colours(picture) == ("red", "blue")
        assert b"ICCP" not in picture.files[Size.LARGE]


@pytest.mark.parametrize("content", NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_what_is_no_whole_jpeg_png_or_webp_is_refused(content: bytes) -> None:
    assert refusal(content) == "no_picture"


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_what_says_it_has_too_many_pixels_is_refused_before_it_is_decoded(content: bytes) -> None:
    assert refusal(content) == "too_many_pixels"


def test_what_is_hidden_behind_or_in_a_picture_is_gone() -> None:
    script = b"<script>alert(1)</script>"
    behind = encoded(halves(), "JPEG") + script
    within = encoded(halves(), "JPEG", comment=script)

    for content in (behind, within):
        assert not any(b"script" in file for file in to_picture(content).files.values())


def test_scans_are_counted_where_a_decoder_finds_them() -> None:
    usual = jpeg_of_scans(0)
    hidden = jpeg_of_scans(1000)
    # A segment that holds an end of image would end a search that does not know of segments.
    hidden = hidden[:2] + b"\xff\xe5\x00\x04\xff\xd9" + hidden[2:]
    # Phones put a film behind the picture, in which these two bytes stand by chance.
    film = usual + b"\xff\xda" * 1000

    assert refusal(hidden) == "no_picture"
    assert colours(to_picture(film)) == colours(to_picture(usual)) == ("red", "blue")


async def test_more_at_once_than_can_wait_are_refused_and_there_is_room_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = Event()
    monkeypatch.setattr(pictures, "to_picture", lambda content: go_on.wait(20) and content)
    decoder = Decoder()
    most = pictures.THREADS + pictures.QUEUE
    waiting = [asyncio.ensure_future(decoder.picture(b"")) for _ in range(most)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable):
        await decoder.picture(b"")
    go_on.set()
    await asyncio.gather(*waiting)

    await decoder.picture(b"")
