"""What is said in each language: gettext's catalogues, read as translators write them, so that nothing is compiled."""

import gettext
from datetime import timedelta
from decimal import Decimal
from importlib.resources import files
from io import BytesIO
from typing import get_args

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol, get_group_symbol

from shared.contracts.accounts import Language

CATALOGUE = "notifications"
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Words:
    """One language."""

    def __init__(self, language: Language, translations: gettext.GNUTranslations) -> None:
        locale = Locale(language)
        self._separators = str.maketrans({",": get_group_symbol(locale), ".": get_decimal_symbol(locale)})
        self.gettext = translations.gettext
        self.ngettext = translations.ngettext
        self.pgettext = translations.pgettext

    def money(self, amount: Decimal, currency: str) -> str:
        """As `150 000,00 UZS`: the code, since not everybody knows every sign. Babel's own way of writing it takes
        longer than all else about a notification."""
        return f"{amount:,.2f}\N{NO-BREAK SPACE}{currency}".translate(self._separators)

    def duration(self, length: timedelta) -> str:
        """Rounded, since what was 24 hours has a second less by the time it is told."""
        minutes = max(1, round(length.total_seconds() / 60))
        if minutes < 120:
            # Translators: how long a link holds, after "for"
            return self.ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
        hours = round(minutes / 60)
        # Translators: how long a link holds, after "for"
        return self.ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}


def catalogue_of(language: Language) -> bytes:
    """Its `.po` file."""
    name = f"locale/{language}/LC_MESSAGES/{CATALOGUE}.po"
    return files("services.notifications").joinpath(name).read_bytes()


def _compiled(catalogue: bytes) -> gettext.GNUTranslations:
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(catalogue)))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


# At once: a catalogue that can't be read stops the process and not a mail.
_WORDS = {language: Words(language, _compiled(catalogue_of(language))) for language in LANGUAGES}


def words_in(language: Language) -> Words:
    return _WORDS[language]
