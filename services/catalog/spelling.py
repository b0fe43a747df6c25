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
_LETTERS = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфхцыэўқғҳ", "abvgdeziyklmnoprstufxsieoqgh", strict=True))
    | {"ё": "yo", "ж": "j", "ч": "ch", "ш": "sh", "щ": "sh", "ю": "yu", "я": "ya", "ъ": "", "ь": ""}
    | {"õ": "o", "ö": "o", "ğ": "g", "ş": "sh", "ç": "ch"}  # proposed since, and typed by some
)
_YE = re.compile("(?:^|(?<=[аеёиоуэюяўыъь]))е")
_TS = re.compile("(?<=[аеёиоуэюяўы])ц")


def words(text: str) -> list[str]:
    """The words of a text, in lower case and their own script; an apostrophe is no letter, and ends no word.

    All letters are such as the database's own parser takes for one word.
    """
    plain = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold()
    return [word[:LONGEST] for word in re.findall(r"[^\W_]+", plain)]


def in_latin(word: str) -> str:
    """A word as `words` gives it, in Latin letters: `тошкент` → `toshkent`; other scripts stay."""
    if word.isascii():
        return word
    return _TS.sub("ts", _YE.sub("ye", word)).translate(_LETTERS)


def for_stems(word: str) -> str:
    """The word as the dictionaries of Russian and English know it: most people type no `ё`."""
    return word.replace("ё", "е")
