"""Untrusted text made honest: what a reader could miss, or mistake for something else, is spelled out by name.

Pure. Nothing here marks text as safe; `kit` wraps the spelled-out pieces. Legitimate non-Latin text stays as it is:
a letter is a look-alike only where it sits among Latin letters, or where a whole word could be read as Latin.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Latin look-alikes in the scripts most used for spoofing (Cyrillic, Greek, Armenian, Cherokee).
LOOKALIKES = frozenset("АВЕЅІЈКМНОРСТУХѴԚԜавеѕіјкмнорстухѵԁԛԝһӏӀүҮΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχϲϳՍՏՕսօոհցքᎪᎬᎻᎫᏦᎷᏢᏚᎢᏙᎳ")
# Scripts whose letters pass for Latin ones; Chinese or Arabic beside Latin letters is ordinary writing.
CONFUSABLE_SCRIPTS = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "OSAGE", "DESERET")
# Signs that read as ASCII punctuation, and as another sign to a machine.
FALSE_SIGNS = frozenset(
    "\u2010\u2011\u2012\u2212\u2043\u2215\u2044\u29f8\u2024\ufe52\u201a"
    "\u066b\u060d\ua789\u2236\u01c3\u037e\u02bc\u00b4\u02cb\u2032\u02d0"
)
# Letters, yet blank on screen: Hangul fillers, Braille blank, Khmer inherent vowels, combining grapheme joiner.
BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u034f")
VARIATION_SELECTORS = ("\u180b", "\u180f"), ("\ufe00", "\ufe0f"), ("\U000e0100", "\U000e01ef")
PHONETIC = ("\u0250", "\u02af"), ("\u1d00", "\u1dbf"), ("\u01c0", "\u01c2")
# Control characters have no name in the Unicode database; these are the ones people meet.
CONTROLS = {
    "\0": "NULL",
    "\a": "BELL",
    "\b": "BACKSPACE",
    "\t": "TAB",
    "\r": "CARRIAGE RETURN",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
}
MARKS_ALLOWED = 2  # consecutive combining marks; more is a pile that hides its neighbours
LINE_END = "↵"
# Blanks that a reader could miss: two and more, and those at either end of a line.
_BLANKS = re.compile(r" {2,}|(?:^|(?<=\n)) | (?=\n|\Z)")
_WORD = re.compile(r"[^\W_]+(?:[^\W_]|[\u0300-\u036f])*")


@dataclass(frozen=True)
class Piece:
    """A run of ordinary text, or one spelled-out character; `apart` is a run written from right to left."""

    text: str
    spelled: bool = False
    apart: bool = False


def pieces(text: str) -> Iterator[Piece]:
    """The text in order, ordinary runs and spelled-out characters apart."""
    text = text.replace("\r\n", "\n")
    if text.isascii() and not _hidden_ascii(text):
        if text:
            yield Piece(text)
        return
    strange = _strange_positions(text)
    start = 0
    for position in sorted(strange):
        if position > start:
            yield Piece(text[start:position])
        yield Piece(spelling(text[position]), spelled=True)
        start = position + 1
    if start < len(text):
        yield Piece(text[start:])


def exact_pieces(text: str) -> Iterator[Piece]:
    """The text so that it could be typed back from the screen: also blanks, tabs and line ends can be seen.

    A line end is a spelled-out arrow before the break; a run of one strange character is named once, with its
    length. What is written from right to left stands apart, so that it moves nothing beside it.
    """
    strange = {index for index, character in enumerate(text) if character in "\t\r"}
    for blanks in _BLANKS.finditer(text):
        strange |= set(range(*blanks.span()))
    if not text.isascii() or _hidden_ascii(text):
        strange |= _strange_positions(text)
    start = 0
    while start < len(text):
        end = _end_of_run(text, start, strange)
        if start in strange:
            yield Piece(spelling(text[start], end - start), spelled=True)
        elif text[start] == "\n":
            yield Piece(LINE_END, spelled=True)
            yield Piece("\n")
        else:
            yield from directions(text[start:end])
        start = end


def _end_of_run(text: str, start: int, strange: set[int]) -> int:
    """Where the run that begins at `start` ends: of one strange character, of one line end, or of ordinary text."""
    if text[start] == "\n":
        return start + 1
    end = start + 1
    while end < len(text) and text[end] != "\n" and (end in strange) == (start in strange):
        if start in strange and text[end] != text[start]:
            break
        end += 1
    return end


def is_rtl(text: str) -> bool:
    """Whether its first letter is one of a script that is written from right to left."""
    kinds = map(unicodedata.bidirectional, "" if text.isascii() else text)
    return next((kind for kind in kinds if kind in {"L", "R", "AL"}), "L") != "L"


def directions(text: str) -> Iterator[Piece]:
    """Ordinary text, what is written from right to left apart from the rest."""
    if text.isascii():
        yield Piece(text)
        return
    start = 0
    for run in _rtl_runs(text):
        if run[0] > start:
            yield Piece(text[start : run[0]])
        yield Piece(text[slice(*run)], apart=True)
        start = run[1]
    if start < len(text):
        yield Piece(text[start:])


def _rtl_runs(text: str) -> Iterator[tuple[int, int]]:
    first = last = -1
    for index, character in enumerate(text):
        kind = unicodedata.bidirectional(character)
        if kind in {"R", "AL", "AN"}:
            first, last = (index if first < 0 else first), index + 1
        elif kind == "NSM" and last == index:
            last = index + 1
        elif first >= 0 and character != " ":
            yield first, last
            first = last = -1
    if first >= 0:
        yield first, last


def spelling(character: str, times: int = 1) -> str:
    """`[U+202E RIGHT-TO-LEFT OVERRIDE]`, and `[U+0020 SPACE x9]` for nine of them."""
    name = unicodedata.name(character, "") or CONTROLS.get(character) or _kind(character)
    return f"[U+{ord(character):04X} {name}{f' x{times}' if times > 1 else ''}]"


def _strange_positions(text: str) -> set[int]:
    strange = {index for index, character in enumerate(text) if _always_strange(character)}
    strange |= _piled_marks(text)
    suspicious = _readable_as_latin(text)
    for word in _WORD.finditer(text):
        strange |= {word.start() + offset for offset in _strange_in_word(word.group(), suspicious)}
    return strange


def is_unseen(character: str) -> bool:
    """Whether it leaves nothing on screen that a reader could name: format characters, and letters that are blank."""
    return unicodedata.category(character) == "Cf" or character in BLANKS


def is_false_blank(character: str) -> bool:
    """Whether it passes for a space, or for nothing, and is neither to a machine."""
    is_blank = unicodedata.category(character)[0] == "Z" and character != " "
    return is_blank or is_unseen(character) or _within(character, VARIATION_SELECTORS)


def _always_strange(character: str) -> bool:
    if character in "\n\t" or " " <= character <= "~":
        return False
    if unicodedata.category(character)[0] in "CZ" or character in BLANKS or character in FALSE_SIGNS:
        return True
    return _within(character, VARIATION_SELECTORS) or _is_disguised_ascii(character)


def _strange_in_word(word: str, suspicious: bool) -> Iterator[int]:
    """Where a word mixes scripts (or, in suspicious text, wholly imitates Latin), its foreign look-alikes."""
    letters = [character for character in word if character.isalpha()]
    mixed = any(_is_latin(letter) for letter in letters)
    imitates = suspicious and bool(letters) and all(letter in LOOKALIKES for letter in letters)
    has_ascii = any(character.isascii() for character in word)
    for index, character in enumerate(word):
        if character.isascii():
            continue
        foreign = mixed and unicodedata.name(character, "").startswith(CONFUSABLE_SCRIPTS)
        phonetic = mixed and _within(character, PHONETIC)
        digit = has_ascii and unicodedata.category(character) == "Nd"
        if foreign or phonetic or digit or (imitates and character in LOOKALIKES):
            yield index


def _readable_as_latin(text: str) -> bool:
    """Whether every non-Latin letter of the text is a look-alike: no real Cyrillic or Greek is written like that."""
    foreign = [character for character in text if character.isalpha() and not _is_latin(character)]
    return bool(foreign) and all(character in LOOKALIKES for character in foreign)


def _piled_marks(text: str) -> set[int]:
    piled, run = set(), 0
    for index, character in enumerate(text):
        run = run + 1 if unicodedata.combining(character) else 0
        if run > MARKS_ALLOWED:
            piled.add(index)
    return piled


def _is_disguised_ascii(character: str) -> bool:
    """Full-width, mathematical and other styled copies of ASCII; not superscripts, fractions or circled numbers."""
    kind = unicodedata.decomposition(character).split(" ")[0]
    if kind not in {"<wide>", "<narrow>", "<font>", "<compat>"}:
        return False
    plain = unicodedata.normalize("NFKC", character)
    return len(plain) == 1 and "!" <= plain <= "~"


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")


def _within(character: str, ranges: tuple[tuple[str, str], ...]) -> bool:
    return any(first <= character <= last for first, last in ranges)


def _hidden_ascii(text: str) -> bool:
    return any(character < " " and character not in "\n\t" for character in text) or "\x7f" in text


def _kind(character: str) -> str:
    kinds = {"Cc": "CONTROL", "Cs": "SURROGATE", "Co": "PRIVATE USE"}
    return kinds.get(unicodedata.category(character), "UNASSIGNED")
