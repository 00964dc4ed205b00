"""What a reader could miss or mistake is spelled out; honest text in any language is left alone."""

# ruff: noqa: RUF001  (ambiguous characters are the subject)
import sys
import unicodedata

import pytest

from audit.templatetags._visible import LOOKALIKES, pieces, spelling


def shown(text: str) -> str:
    return "".join(piece.text for piece in pieces(text))


class TestSpelling:
    def test_names_the_code_point_and_the_character(self):
        assert spelling("\u202e") == "[U+202E RIGHT-TO-LEFT OVERRIDE]"

    def test_names_controls_that_unicode_leaves_nameless(self):
        assert spelling("\x1b") == "[U+001B ESCAPE]"
        assert spelling("\x01") == "[U+0001 CONTROL]"

    def test_says_what_kind_a_nameless_character_is(self):
        assert spelling("\ue000") == "[U+E000 PRIVATE USE]"
        assert spelling("\ufdd0") == "[U+FDD0 UNASSIGNED]"


class TestInvisibleCharacters:
    @pytest.mark.slow
    def test_never_reach_the_page_whatever_they_are(self):
        hidden = [
            character
            for character in map(chr, range(sys.maxunicode + 1))
            if unicodedata.category(character)[0] in "CZ" and character not in " \n\t"
        ]

        # One text of all of them, with a letter on each side of each.
        seen = [piece.text for piece in pieces(f"a{'a'.join(hidden)}a") if not piece.spelled]
        assert seen == ["a"] * (len(hidden) + 1)

    @pytest.mark.parametrize("blank", ["\u3164", "\u2800", "\u115f", "\ufe0f", "\U000e0100", "\u034f"])
    def test_are_spelled_out_even_where_unicode_calls_them_letters_or_marks(self, blank):
        assert shown(f"pay{blank}now") == f"pay{spelling(blank)}now"

    def test_leave_line_breaks_and_tabs_alone(self):
        assert shown("one\r\ntwo\tthree\n") == "one\ntwo\tthree\n"

    def test_show_a_lone_carriage_return(self):
        assert shown("10\r99") == "10[U+000D CARRIAGE RETURN]99"

    def test_show_a_pile_of_combining_marks(self):
        assert "[U+0300 COMBINING GRAVE ACCENT]" in shown("e" + "\u0300" * 5)


class TestLookAlikes:
    def test_are_named_inside_a_latin_word(self):
        assert shown("p\u0430ypal") == "p[U+0430 CYRILLIC SMALL LETTER A]ypal"

    def test_are_named_when_a_whole_word_imitates_latin(self):
        assert "CYRILLIC SMALL LETTER O" in shown("Send to \u0441\u043e\u0440\u0435 today")

    def test_are_all_foreign_letters(self):
        assert [letter for letter in LOOKALIKES if unicodedata.name(letter).startswith("LATIN")] == []

    @pytest.mark.parametrize("disguised", ["\uff11", "\U0001d400", "\uff0f", "\u2044", "\u201a", "\u037e", "\u0261o"])
    def test_are_named_when_they_are_styled_or_false_signs(self, disguised):
        assert f"[U+{ord(disguised[0]):04X} " in shown(f"a{disguised}")

    def test_are_named_when_a_foreign_digit_sits_in_an_account_number(self):
        assert shown("GB2\u0669") == "GB2[U+0669 ARABIC-INDIC DIGIT NINE]"


class TestHonestText:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "EUR 4,860.00 to Halden Freight AB",
            "Zażółć gęślą jaźń, Straße, Ænima, İstanbul",
            "Привет мир, а и о с вами",
            "Καλημέρα κόσμε",
            "مرحبا ٤٢",
            "你好, iPhone手机 and Tシャツ",
            "5 m², 3 × 4, “quoted” – it’s 10 °C…",
            "e\u0301 written with a combining accent",
        ],
    )
    def test_stays_exactly_as_it_is(self, text):
        assert shown(text) == text
