"""Sample content for the gallery page: every tag of the kit in every state, and the worst text an agent could send.

Knows no view and no model; a view renders gallery/gallery.html with `gallery_context(now)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from django import forms

from audit.templatetags._burn import Ahead, Burn, Level, Step
from audit.templatetags._charts import Cell, Chart, Series
from audit.templatetags._status import PILLS

SAMPLE_ID = "01936f0e-7c1a-7d55-9b1e-3f2a4860c0de"
SAMPLE_DIGEST = "9f2c1b5e0a7d4c3b8e6f1a2d9c0b7e5f4a3d2c1b0e9f8a7d6c5b4a3f2e1de41b"
# What a hostile or careless agent writes. Written with escapes so that this file itself hides nothing.
NASTY = (
    "<script>alert('hello')</script> & <b>bold</b> {{ settings.SECRET_KEY }}\n"
    "Pay to ACME \u202eTDT 0684\u202c and p\u0430yp\u0430l.com, account GB29\u200b9825\u00a07406.\n"
    "Zero\u200dwidth, null \x00, escape \x1b[31m, full-width \uff11\uff12\uff13, mathematical \U0001d400\U0001d401.\n"
    "Real words stay: Zażółć gęślą jaźń, Привет мир, Καλημέρα κόσμε, مرحبا, 你好."
)
PAYLOAD = {
    "reference": "ADJ-2026-11-0042",
    "account": "4010 Bank charges",
    "amount": "4860.00",
    "currency": "EUR",
    "note": "Bank fee for p\u0430yment 88213",
    "lines": [{"side": "debit", "amount": "4860.00"}, {"side": "credit", "amount": "4860.00"}],
    "approved_before": False,
    "supersedes": None,
}


@dataclass(frozen=True)
class Swatch:
    """One status domain and all its statuses."""

    domain: str
    statuses: tuple[str, ...]


class SampleForm(forms.Form):
    """One field of each kind a page of the console uses."""

    amount = forms.CharField(label="Amount you checked", help_text="As printed on the evidence.")
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    reason = forms.ChoiceField(choices=[("", "Choose a reason"), ("checked", "Checked against the record")])
    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("reject", "Reject")], widget=forms.RadioSelect)
    confirmed = forms.BooleanField(label="I compared the account number", required=False)


class FilterForm(forms.Form):
    """The filter bar of a list."""

    state = forms.ChoiceField(choices=[("", "Any"), ("waiting", "Waiting")], required=False)
    unit = forms.ChoiceField(choices=[("", "Any"), ("nordics", "Nordics")], required=False)
    q = forms.CharField(label="Search", widget=forms.TextInput(attrs={"type": "search"}), required=False)


def gallery_context(now: datetime) -> dict[str, object]:
    """Everything the gallery template shows, as seen at `now`."""
    return {
        "now": now,
        "crumbs": [{"label": "Work", "url": "/"}, {"label": "Gallery", "url": ""}],
        "swatches": [Swatch(domain, (*pills, "not_in_the_table")) for domain, pills in PILLS.items()],
        **_numbers(now),
        **_texts(),
        **_stories(now),
        **_forms(),
    }


def _chart() -> Chart:
    """Every colour, a day without anything, and one on which a correction is larger than what was spent."""
    shape = [
        [3, 0, 5, 2],
        [1, 0, 2, 1],
        [2, 0, 1, -2],
        [1, 0, 1, 0],
        [1, 0, 0, 1],
        [0, 0, 1, 1],
        [1, 0, 1, 0],
        [2, 0, 2, 1],
    ]
    series = [
        Series(
            name,
            str(sum(row)),
            [Cell(Decimal(one), f"{one}.00" if one else "", "#numbers" if one else "") for one in row],
        )
        for name, row in zip(
            ("gpt-4.1", "house", "<b>bold</b>", "four", "five", "six", "seven", "All others"), shape, strict=True
        )
    ]
    days = [f"{day} Nov 2026" for day in range(1, 5)]
    return Chart("EUR per day, by model", "EUR 28.00 in 4 days; most on 3 Nov 2026: 13.00.", days, series, "13.00")


def _burn() -> Burn:
    """A sum past its first line, with its end in sight."""
    totals = [2, 3, 3, 7, 9]
    steps = [
        Step(place, f"{place} Nov 2026", f"{total - before}.00", f"{total}.00", Decimal(total))
        for place, (before, total) in enumerate(zip([0, *totals], totals, strict=False), 1)
        if total != before
    ]
    levels = [
        Level(Decimal(8), "80 %: EUR 8.00", "reached on 5 Nov 2026", False),
        Level(Decimal(10), "100 %, the limit: EUR 10.00", "not reached", True),
    ]
    ahead = Ahead(Decimal(13), Decimal(11), Decimal(14), "By 7 Nov 2026", "about 13.00, between 11.00 and 14.00")
    sentence = "EUR 9.00 of EUR 10.00 spent."
    return Burn("EUR of this week", sentence, "1 Nov 2026", "7 Nov 2026", 7, 5, Decimal(0), steps, levels, ahead)


def _numbers(now: datetime) -> dict[str, object]:
    return {
        "sample_id": SAMPLE_ID,
        "chart": _chart(),
        "burn": _burn(),
        "trend": [0, 0, 1, 0, 3, 8, 21, 13, 5, 0, 0, 2],
        "sample_digest": SAMPLE_DIGEST,
        "amounts": [
            (Decimal("4860"), "EUR"),
            (Decimal("-1234567.891"), "USD"),
            (Decimal("0.00312149"), "USD"),
            (Decimal("0"), "EUR"),
            (Decimal("129500"), "JPY"),
            (None, "EUR"),
        ],
        "lines": [
            [0.0, 0.1, 0.1, 0.4, 1.0, 0.6, 0.2, 0.0],
            [0.1, None, None, 0.3, 0.3, None, 0.9, None],
            [None] * 8,
        ],
        "spans": [0.0004, 0.84, 4.2, 192, 7500, 273600, None],
        "moments": [now, now - timedelta(minutes=3), now - timedelta(hours=26), now + timedelta(hours=2), None],
        "dues": [
            now + timedelta(hours=26),
            now + timedelta(minutes=72),
            now + timedelta(minutes=12),
            now + timedelta(minutes=4),
            now - timedelta(minutes=3),
            None,
        ],
    }


def _texts() -> dict[str, object]:
    return {
        "nasty": NASTY,
        "long_text": "The invoice and the bank statement differ by one digit. " * 120,
        "payload": PAYLOAD,
        "huge": {f"row_{number}": "x" * 60 for number in range(900)},
        "diff_rows": [
            {"label": "amount", "before": "486.00", "after": "4,860.00", "origin": "calculated"},
            {"label": "iban", "before": "GB29 NWBK 9825 7466", "after": "GB29 NWBK 9825 7406", "origin": "record"},
            {"label": "memo", "before": "Fee for October", "after": "Fee for November, second half", "origin": "agent"},
            {"label": "payee", "before": "paypal", "after": "p\u0430ypal", "origin": "agent"},
            {"label": "currency", "before": "EUR", "after": "EUR"},
            {"label": "cost centre", "before": None, "after": "NORDICS-4"},
            {"label": "hold", "before": "yes", "after": None},
        ],
        "evidence_rows": [
            {
                "label": "Invoice 88213",
                "value": "total 486.00",
                "source": "ERP",
                "origin": "record",
                "matches": False,
            },
            {
                "label": "Bank statement, line 12",
                "value": "EUR 4,860.00",
                "source": "Ledger",
                "origin": "record",
                "matches": True,
            },
            {
                "label": "Agent's estimate",
                "value": "about 4.9 k",
                "source": "refunds v7",
                "origin": "agent",
                "matches": None,
            },
        ],
    }


def _stories(now: datetime) -> dict[str, object]:
    return {
        "nodes": _nodes(),
        "states": [
            {"label": "Queued", "place": "past", "at": now - timedelta(minutes=40)},
            {"label": "Running", "place": "past", "at": now - timedelta(minutes=39)},
            {"label": "Waiting for approval", "place": "current", "at": now - timedelta(minutes=38), "tone": "wait"},
            {"label": "Running"},
            {"label": "Done"},
        ],
        "story": _story(now),
    }


def _nodes() -> list[Mapping[str, object]]:
    def node(key: str, status: str, needs: tuple[str, ...] = (), detail: str = "") -> Mapping[str, object]:
        return {"key": key, "status": status, "needs": needs, "detail": detail, "url": f"#step-{key}"}

    return [
        node("fetch_batch", "success", detail="0.4 s"),
        node("classify", "success", ("fetch_batch",), "1.2 s"),
        node("check_limits", "business_error", ("fetch_batch",)),
        node("load_accounts", "skipped", ("fetch_batch",)),
        node("approve_adjustments", "awaiting_approval", ("classify", "check_limits"), "38 min"),
        node("post_adjustment", "scheduled", ("approve_adjustments", "load_accounts"), "try 2"),
        node("report", "pending", ("post_adjustment",)),
    ]


def _story(now: datetime) -> list[Mapping[str, object]]:
    start = now - timedelta(minutes=2)

    def entry(after: float, title: str, **more: object) -> Mapping[str, object]:
        return {"at": start + timedelta(seconds=after), "title": title, **more}

    return [
        entry(0, "Attempt 1 claimed", icon="play", tone="progress", actor="worker 2"),
        entry(0.012, "post_adjustment sent to the ERP", icon="arrow", detail="Idempotency key 5e1c…77aa"),
        entry(5.012, "No answer within 5 s", icon="clock-cross", tone="danger", detail="The ERP may have posted it."),
        entry(5.013, "Outcome recorded as unknown; nothing is sent again", icon="question", tone="wait"),
        entry(5.2, "Looked up by business key ADJ-0042", icon="search", detail="The ERP has 1 of 2 lines."),
        entry(20.2, "Attempt 2 sends the same key", icon="loop", tone="info", url="#attempt-2", actor="worker 1"),
        entry(20.9, "Posted exactly once", icon="check", tone="ok", detail="ERP posting 7741, 2 lines"),
    ]


def _forms() -> dict[str, object]:
    people = [
        SimpleNamespace(name="Refund Halden Freight AB", amount=Decimal(4860), status="pending", given=1),
        SimpleNamespace(name="Change bank account of Orr & Sons", amount=None, status="claimed", given=0),
        SimpleNamespace(name="Post adjustment ADJ-0042", amount=Decimal("12.4"), status="approved", given=2),
    ]
    faulty = SampleForm({"amount": "", "note": "Typed text is kept.", "reason": "", "verdict": ""}, prefix="faulty")
    faulty.is_valid()
    return {"form": SampleForm(), "faulty_form": faulty, "filter_form": FilterForm(prefix="f"), "rows": people}
