"""Parts of a change of costs: each says what it is named after, and together they are the change, to the last digit."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.queries.cost_parts import PARTS, OnRecord, Rates, Side, Spent, change
from orchestrator.queries.cost_words import relative, sentence

# How long a busy machine takes says nothing about what is tested.
amounts = st.decimals(min_value=0, max_value=10**9, places=10)
numbers = st.integers(min_value=0, max_value=10**12)
lines = st.builds(
    Spent,
    kind=st.sampled_from(["model", "tool", "review", "correction"]),
    model=st.sampled_from(["", "small", "large", "new"]),
    tool=st.sampled_from(["", "post", "look"]),
    amount=amounts | st.just(Decimal(0)),
    lines=st.integers(min_value=0, max_value=10**6),
    input_tokens=numbers,
    cached_input_tokens=numbers,
    output_tokens=numbers | st.just(0),
    seconds=numbers,
)
rates = st.builds(Rates, *(st.decimals(min_value=0, max_value=1000, places=4) for _ in range(3)))
on_record = st.dictionaries(
    st.sampled_from(["", "small", "large"]), st.builds(OnRecord, rates | st.none(), rates | st.none())
)
sides = st.builds(Side, st.integers(min_value=0, max_value=10**6), st.lists(lines, max_size=8).map(tuple))


def calls(model, amount, tokens, **more):
    return Spent(kind="model", model=model, amount=Decimal(amount), lines=1, input_tokens=tokens, **more)


def spent(kind, amount, **more):
    return Spent(kind=kind, amount=Decimal(amount), lines=1, **more)


def parts(before, now):
    return {name: amount for name, amount in change(before, now).parts.items() if amount}


# Per million tokens; `kinds` has 1.0 million of input and 0.2 million of output.
LIST = Rates(Decimal(2), Decimal(1), Decimal("8.5"))


def kinds(amount, *, cached):
    """Calls of a thousand thousand tokens of input, of which so many thousand came from a cache."""
    return calls("small", amount, 1_000_000, cached_input_tokens=cached * 1000, output_tokens=200_000)


def told(before, now, old, new):
    found = change(before, now, {"small": OnRecord(old, new)})
    return {name: amount for name, amount in found.parts.items() if amount}


@given(before=sides, now=sides, rates=on_record)
def test_the_parts_come_to_the_change_exactly_whatever_was_spent(before, now, rates):
    found = change(before, now, rates)
    assert sum(found.parts.values()) == now.amount - before.amount
    assert set(found.parts) == set(PARTS)


@given(before=sides, now=sides, rates=on_record)
def test_every_change_can_be_told(before, now, rates):
    told = sentence(change(before, now, rates), "USD")
    assert told.endswith(".")
    assert "None" not in told


class TestOnlyTheReasonThatThereWas:
    before = Side(10, (calls("small", "10", 1000), spent("tool", "2", tool="post"), spent("review", "4", seconds=600)))

    def test_is_volume_where_the_same_was_done_more_often(self):
        now = Side(15, (calls("small", "15", 1500), spent("tool", "3", tool="post"), spent("review", "6", seconds=900)))
        assert parts(self.before, now) == {"volume": Decimal(8)}
        assert sentence(change(self.before, now), "USD") == (
            "USD 8.00 more: 8.00 because it ran 15 times instead of 10."
        )

    def test_is_tokens_where_each_execution_used_more(self):
        now = Side(10, (calls("small", "20", 2000), *self.before.spent[1:]))
        assert parts(self.before, now) == {"tokens": Decimal(10)}
        assert "each execution used 200 tokens instead of 100" in sentence(change(self.before, now), "USD")

    def test_is_the_mix_where_another_model_did_the_same(self):
        now = Side(10, (calls("large", "50", 1000), *self.before.spent[1:]))
        assert parts(self.before, now) == {"mix": Decimal(40)}
        assert "large took the place of small: 100.0 % of the tokens instead of 0.0 %" in sentence(
            change(self.before, now), "USD"
        )

    def test_is_the_price_where_the_same_model_cost_more(self):
        now = Side(10, (calls("small", "13", 1000), *self.before.spent[1:]))
        assert parts(self.before, now) == {"price": Decimal(3)}
        assert "1,000 tokens of small cost 13 instead of 10" in sentence(change(self.before, now), "USD")

    def test_is_the_price_with_its_reason_where_the_cache_is_not_used_any_more(self):
        before = Side(10, (calls("small", "10", 1000, cached_input_tokens=800),))
        now = Side(10, (calls("small", "13", 1000),))
        assert "(0.0 % instead of 80.0 % of the input came from a cache)" in sentence(change(before, now), "USD")

    def test_is_the_kinds_of_tokens_where_the_rates_are_on_record_and_stayed(self):
        before, now = Side(10, (kinds("2.90", cached=800),)), Side(10, (kinds("3.50", cached=200),))
        assert told(before, now, LIST, LIST) == {"kinds": Decimal("0.60")}
        assert sentence(change(before, now, {"small": OnRecord(LIST, LIST)}), "USD") == (
            "USD 0.60 more: 0.60 because small was used otherwise: 20.0 % instead of 80.0 % of the input came from a cache."
        )

    def test_is_the_rates_where_the_kinds_stayed(self):
        dearer = Rates(Decimal(3), Decimal(1), Decimal("12.50"))
        before, now = Side(10, (kinds("2.90", cached=800),)), Side(10, (kinds("3.90", cached=800),))
        assert told(before, now, LIST, dearer) == {"rates": Decimal(1)}
        assert "the rates of small changed: input 3 instead of 2, output 12.5 instead of 8.5 per million" in sentence(
            change(before, now, {"small": OnRecord(LIST, dearer)}), "USD"
        )

    def test_is_both_where_the_rates_and_the_kinds_changed(self):
        twice = Rates(*(2 * rate for rate in (LIST.input, LIST.cached, LIST.output)))
        before, now = Side(10, (kinds("2.90", cached=800),)), Side(10, (kinds("7.00", cached=200),))
        assert told(before, now, LIST, twice) == {"kinds": Decimal("0.60"), "rates": Decimal("3.50")}

    def test_is_no_rate_where_only_the_last_digit_was_rounded(self):
        before, now = Side(10, (kinds("2.9000000000", cached=800),)), Side(10, (kinds("3.5000000001", cached=200),))
        assert told(before, now, LIST, LIST) == {"kinds": Decimal("0.6000000001")}

    def test_is_said_where_tokens_cost_more_at_the_same_rates(self):
        before, now = Side(10, (kinds("2.90", cached=800),)), Side(10, (kinds("4.90", cached=800),))
        assert told(before, now, LIST, LIST) == {"rates": Decimal(2)}
        assert "though its rates are the same: batches" in sentence(
            change(before, now, {"small": OnRecord(LIST, LIST)}), "USD"
        )

    def test_is_not_split_where_no_line_says_the_rates(self):
        before, now = Side(10, (kinds("2.90", cached=800),)), Side(10, (kinds("3.50", cached=200),))
        assert parts(before, now) == {"price": Decimal("0.60")}

    def test_is_tools_where_an_execution_called_more_of_them(self):
        now = Side(10, (self.before.spent[0], spent("tool", "7", tool="post"), self.before.spent[2]))
        assert parts(self.before, now) == {"tools": Decimal(5)}
        assert "calls of post came to 0.70 instead of 0.20 per execution" in sentence(change(self.before, now), "USD")

    def test_is_review_where_people_needed_longer(self):
        now = Side(10, (*self.before.spent[:2], spent("review", "5", seconds=1200)))
        assert parts(self.before, now) == {"review": Decimal(1)}
        assert "reviewers spent 2 min 00 s instead of 1 min 00 s" in sentence(change(self.before, now), "USD")

    def test_is_corrections_where_older_lines_were_corrected(self):
        now = Side(10, (*self.before.spent, spent("correction", "-1.5")))
        assert parts(self.before, now) == {"corrections": Decimal("-1.5")}
        assert sentence(change(self.before, now), "USD").startswith("USD 1.50 less: 1.50 because corrections")


class TestAChangeWithoutAnEqual:
    before = Side(0, (calls("small", "10", 1000),))

    def test_is_all_volume_where_nothing_ran_before(self):
        assert parts(Side(), self.before) == {"volume": Decimal(10)}
        assert sentence(change(Side(), self.before), "USD").endswith("because it cost nothing before.")

    def test_is_all_volume_where_nothing_runs_now(self):
        assert parts(self.before, Side()) == {"volume": Decimal(-10)}
        assert sentence(change(self.before, Side()), "USD").endswith("because it did not run any more.")

    def test_counts_calls_where_agents_report_without_an_execution(self):
        now = Side(0, (calls("small", "10", 1000), calls("small", "10", 1000)))
        assert parts(self.before, now) == {"volume": Decimal(10)}
        assert "it made calls 2 times instead of 1" in sentence(change(self.before, now), "USD")

    def test_says_both_directions(self):
        now = Side(10, (calls("small", "13", 1000), spent("tool", "1", tool="post")))
        told = sentence(change(TestOnlyTheReasonThatThereWas.before, now), "USD")
        assert told.startswith("USD 2.00 less: 4.00 because reviewers spent 0 ms instead of 1 min 00 s")
        assert "; 3.00 more because 1,000 tokens of small" in told


def test_a_plus_says_more_also_of_what_was_below_nought():
    told = [relative(Decimal(before), Decimal(now)) for before, now in ((10, 15), (-10, 5), (-10, -5), (-10, -20))]
    assert told == ["+50.0 %", "+150.0 %", "+50.0 %", "\u2212100.0 %"]
