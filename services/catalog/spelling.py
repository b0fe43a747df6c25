"""One spelling of a word, in whatever script and with whatever apostrophes it is typed.

Uzbek is written in Latin and in Cyrillic letters; this is how its spelling rules of 1995 turn the one into the other,
in lower case and without apostrophes, since people type a dozen of them, or none. Russian words go the same way: nobody
can be asked which language each word is of.
"""

import re
import unicodedata

LONGEST = 64
"""Letters of a word that count."""

_APOSTROPHES = dict.fromkeys(map(ord, "'`´‘’‛ʻʼʽʾʿˈ′＇\u00ad"))
_LETTERS = (
    dict(zip("абвгдзийклмнопрстуфхыэўқғҳ", "abvgdziyklmnoprstufxieoqgh", strict=True))
    | {"ё": "yo", "ж": "j", "ч": "ch", "ш": "sh", "щ": "sh", "ю": "yu", "я": "ya", "ъ": "", "ь": ""}
    | {"õ": "o", "ö": "o", "ğ": "g", "ş": "sh", "ç": "ch"}  # proposed since, and typed by some
)
_VOWELS = "аеёиоуэюяўы"


def words(text: str) -> list[str]:
    """The words of a text, in lower case and their own script; an apostrophe is no letter, and ends no word.

    All letters are such as the database's own parser takes for one word.
    """
    plain = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold()
    return [word[:LONGEST] for word in re.findall(r"[^\W_]+", plain)]


def in_latin(word: str) -> str:
    """A word as `words` gives it, in Latin letters: `тошкент` → `toshkent`; other scripts stay."""
    return "".join(_letter(word, place) for place in range(len(word)))


def for_stems(word: str) -> str:
    """The word as the dictionaries of Russian and English know it: most people type no `ё`."""
    return word.replace("ё", "е")


def _letter(word: str, place: int) -> str:
    letter, before = word[place], word[place - 1 : place]
    if letter == "е":
        return "ye" if not before or before in _VOWELS + "ъь" else "e"
    if letter == "ц":
        return "ts" if before and before in _VOWELS else "s"
    return _LETTERS.get(letter, letter)
