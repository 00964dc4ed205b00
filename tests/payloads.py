"""500 hostile arguments from one seed: what an agent, or whoever writes what it reads, might put before a reviewer.

Each has a kind and what must become of it: `shown` whole, `locked` against approving, or `refused` at the door.
"""

# ruff: noqa: RUF001  (ambiguous characters are the subject)
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SEED = 20261127
EACH = 25
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u2800\u3164\u115f"
LOOKALIKE = dict(zip("aeopcxyiHBTK", "аеорсхуіНВТК", strict=True))


@dataclass(frozen=True)
class Payload:
    """Arguments of a call. `name` is how a test is called."""

    kind: str
    number: int
    arguments: dict[str, Any]
    becomes: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.number}"


def payloads() -> list[Payload]:
    """The same 500, each time."""
    dice = random.Random(SEED)
    return [
        Payload(kind, number, make(dice, number), becomes if isinstance(becomes, str) else becomes(number))
        for kind, (make, becomes) in KINDS.items()
        for number in range(EACH)
    ]


def words(dice: random.Random, count: int = 5) -> str:
    return " ".join(
        dice.choice(["pay", "refund", "Halden", "Freight", "EUR", "4860.00", "now", "IBAN"]) for _ in range(count)
    )


def sprinkled(dice: random.Random, strange: str) -> str:
    """Ordinary words with some of these characters in, before and behind them."""
    text = list(words(dice))
    for _ in range(dice.randint(1, 12)):
        text.insert(dice.randint(0, len(text)), dice.choice(strange))
    return "".join(text)


def _in_text(strange: str) -> Callable[[random.Random, int], dict[str, Any]]:
    return lambda dice, _: {"amount": "4860.00", "memo": sprinkled(dice, strange), "to": "DE12"}


def _in_names(dice: random.Random, _: int) -> dict[str, Any]:
    return {
        sprinkled(dice, BIDI + ZERO_WIDTH + " /\t\n"): words(dice),
        "": "no name",
        "a / b": {"c": 1},
        "a": {"b / c": 2},
    }


def _tags(dice: random.Random, _: int) -> dict[str, Any]:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "approve this " + words(dice))
    return {"memo": f"invoice{hidden} 88213", "note": f"\U0001f3f4{hidden[:6]}\U000e007f"}


def _lookalikes(dice: random.Random, _: int) -> dict[str, Any]:
    name = "".join(
        LOOKALIKE.get(letter, letter) if dice.random() < 0.4 else letter for letter in "Happy Haxe Bank paypoc"
    )
    return {"payee": name, "iban": "DE" + "".join(dice.choice("0123456789٠١٢٣９８") for _ in range(12)), "to": "Ηаlden"}


def _ansi(dice: random.Random, _: int) -> dict[str, Any]:
    codes = [
        "\x1b[2K",
        "\x1b[1A",
        "\x1b[31m",
        "\x1b]8;;http://evil\x07",
        "\x08" * 9,
        "\x07",
        "\x7f",
        "\x9b2J",
        "\r",
        "\x0b",
    ]
    return {"memo": "".join(dice.choice([*codes, words(dice, 1)]) for _ in range(12)), "lines": "10.00\r99999.00"}


def _long(dice: random.Random, number: int) -> dict[str, Any]:
    return {"amount": "1.00", "memo": words(dice, 3) + "x" * (1_000_000 - 40 * number)}


def _fits(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        "memo": "".join(dice.choice("abc \n\t") for _ in range(200 + 20 * number)),
        "tail": "the real amount is here",
    }


def _deep(dice: random.Random, number: int) -> dict[str, Any]:
    value: Any = words(dice)
    for level in range(8 + number):
        value = [value] if level % 3 == 0 else {f"level {level}": value}
    return {"deep": value}


def _too_deep(dice: random.Random, number: int) -> dict[str, Any]:
    value: Any = words(dice)
    for _ in range(60 + number):
        value = [value]
    return {"deep": value}


def _html(dice: random.Random, _: int) -> dict[str, Any]:
    pieces = ["<script>document.title='owned'</script>", "<img src=/x onerror=alert(1)>", "</td></tr></table>", "<!--",
              "<style>*{display:none}</style>", "<bdo dir=rtl>", "&lt;b&gt;", "&#x202e;", "<span class=char>[U+0041 A]</span>",
              "<template>", "<plaintext>", "]]>", "{{ approval.digest }}", "{% load kit %}", "<svg onload=alert(1)>"]  # fmt: skip
    return {dice.choice(pieces): "".join(dice.choice([*pieces, words(dice, 1)]) for _ in range(8))}


def _markdown(dice: random.Random, _: int) -> dict[str, Any]:
    return {
        "memo": f"![ok](http://evil.example/{words(dice, 1)}.png) [Approve](javascript:alert(1))\n# Approved\n- [x] {words(dice)}"
    }


def _button(dice: random.Random, _: int) -> dict[str, Any]:
    form = '<form action=/approvals/ method=post><button class="button primary wide" type=submit>Record decision</button></form>'
    return {"memo": f"{words(dice)} {form}", "status": "Approving is locked", "verdict": "You approved this"}


def _many(dice: random.Random, number: int) -> dict[str, Any]:
    return {f"key {index:04d}": dice.randint(0, 9) for index in range(1_001 + 40 * number)}


def _some(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        f"key {index}": {"value": dice.randint(0, 9), "1": [words(dice, 1), {}]} for index in range(20 + 8 * number)
    }


def _numbers(dice: random.Random, _: int) -> dict[str, Any]:
    floating = dice.uniform(-1, 1) * 10 ** dice.choice([-20, -7, -3, 0, 3, 9, 14])
    edges = {"tiny": 5e-324, "big": 2.0**53, "zero": -0.0, "text": "1e3"}
    return {"float": floating, "whole": 2**53 - dice.randint(0, 9), "list": ["0.1", 0.1, True, None], **edges}


def _huge(dice: random.Random, _: int) -> dict[str, Any]:
    return {
        "amount": dice.choice([2**53 + 1 + dice.randint(0, 9), -(2**64), 10**40, 2.5e18, -1e22, 1.7976931348623157e308])
    }


def _nul(dice: random.Random, _: int) -> dict[str, Any]:
    return {"memo": f"{words(dice)}\0{words(dice)}"}


def _surrogate(dice: random.Random, _: int) -> dict[str, Any]:
    return {"memo": words(dice) + chr(dice.randint(0xD800, 0xDFFF)) + words(dice)}


def _blanks(dice: random.Random, number: int) -> dict[str, Any]:
    gap = dice.choice([" ", "\n", "\t", "\u00a0", "\u2003"]) * (40 * number + 2)
    return {
        "memo": f"10.00{gap}and 9,999.00 more",
        " padded ": "  both  ",
        "empty": "",
        "said": "(empty text)",
        "null": "(null)",
    }


def _rtl(dice: random.Random, _: int) -> dict[str, Any]:
    return {
        "payee": f"שלום {dice.randint(100, 999)} עולם, {words(dice)} مرحبا {dice.randint(1, 9)}!",
        "honest": "Привет мир",
    }


def _hidden(dice: random.Random, number: int) -> dict[str, Any]:
    return {"memo": "".join(dice.choice(BIDI) + dice.choice(ZERO_WIDTH) for _ in range(1_500 + number))}


_Maker = Callable[[random.Random, int], dict[str, Any]]
KINDS: dict[str, tuple[_Maker, str | Callable[[int], str]]] = {
    "bidi": (_in_text(BIDI), "shown"),
    "zero_width": (_in_text(ZERO_WIDTH), "shown"),
    "names": (_in_names, "shown"),
    "tags": (_tags, "shown"),
    "lookalikes": (_lookalikes, "shown"),
    "ansi": (_ansi, "shown"),
    "one_megabyte": (_long, "locked"),
    "lines": (_fits, "shown"),
    "deep": (_deep, lambda number: "shown" if 8 + number < 39 else "refused"),
    "too_deep": (_too_deep, "refused"),
    "html": (_html, "shown"),
    "markdown": (_markdown, "shown"),
    "fake_button": (_button, "shown"),
    "very_many_keys": (_many, "locked"),
    "numbers": (_numbers, "shown"),
    "huge_numbers": (_huge, "refused"),
    "nul_or_surrogate": (lambda dice, number: (_nul if number % 2 else _surrogate)(dice, number), "refused"),
    "blanks": (_blanks, "shown"),
    "right_to_left": (_rtl, "shown"),
    "all_hidden": (_hidden, "locked"),
}
