"""Which of the marketplace's languages a request would like (RFC 9110, Accept-Language)."""

LANGUAGES = ("uz", "ru", "en")
DEFAULT = "en"


def preferred_language(accept_language: str) -> str:
    """`"ru-RU,ru;q=0.9,en;q=0.8"` → `"ru"`; what is none of ours, or no header at all, is English."""
    wanted = []
    for position, part in enumerate(accept_language.split(",")):
        tag, _, parameters = part.strip().partition(";")
        name, _, quality = parameters.partition("=")
        try:
            weight = float(quality) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        language = tag.strip().lower().split("-")[0]
        if language in LANGUAGES and weight > 0:
            wanted.append((-weight, position, language))
    return min(wanted)[2] if wanted else DEFAULT
