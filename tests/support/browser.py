"""The browser of the tests in `tests/web`: Debian's package, or whatever is one like it."""

import shutil
from typing import Final

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """Its path, or None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
