"""How a command tells a person that it can't go on."""

from pydantic import ValidationError


class CannotStart(Exception):
    """One clear line, and the exit code that goes with it."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code


BAD_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h."""


def in_one_line(error: ValidationError) -> str:
    """Which setting, and what is wrong with it; never its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"]).upper()
    return f"{name}: {first['msg']}"
