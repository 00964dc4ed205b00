"""The hands of the reconciliation workflow: tools that speak to the ledger and the ERP, agents that decide.

Agents hold no address and no connection: `poster` reaches the ERP only by `context.call`, and each such call
is one governed action. Tools use `context.http_json`, which tells "nothing happened" from "no answer".
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

from classifier import adjustments, classify, counts
from rows import BadRows, batch_currency, parse_files

Fields = dict[str, Any]

ERP, LEDGER = "ERP_URL", "LEDGER_URL"
MOST_BYTES = 950_000
MOST_POSTINGS = 250
READ_SECONDS = 2.0
WRITE_SECONDS = 2.5
# What the ERP says of a posting -> how the one who asks for it again is told.
BOOKED = {
    "complete": "an earlier run booked it",
    "partial": "an earlier run left it half posted",
    "reversed": "an earlier run booked it, and it was reversed since",
}
UNFINISHED = (
    "an earlier run left it half posted, or it was reversed since;"
    " to book a whole batch again that was reversed, give it a name of its own"
)


# Tools of the ledger


def register_batch(arguments: Fields, context: Any) -> Fields:
    """Check both files cell by cell, then upload them; the same rows give the same batch."""
    answer = _write(context, LEDGER, "/batches", _checked(arguments, context))
    return {name: answer[name] for name in ("batch_id", "currency", "bank_rows", "ledger_rows")}


def fetch_batch(arguments: Fields, context: Any) -> Fields:
    """The batch as the ledger keeps it."""
    answer = _read(context, LEDGER, f"/batches/{quote(arguments['batch_id'], safe='')}")
    return {name: answer[name] for name in ("batch_id", "currency", "bank", "ledger")}


# Tools of the ERP


def list_postings(arguments: Fields, context: Any) -> Fields:
    """What an earlier run of the same batch has booked: whole postings, and those somebody must look at.

    A reversal is no adjustment: what tells of it is the posting it took back.
    """
    found = [
        posting for posting in _postings("batch_id", arguments["batch_id"], context) if not _is_done_reversal(posting)
    ]
    whole = [posting["reference"] for posting in found if posting["status"] == "complete"]
    return {
        "already_posted": sorted(set(whole)),
        "unfinished": sorted({posting["reference"] for posting in found} - set(whole)),
    }


def post_adjustment(arguments: Fields, context: Any) -> Fields:
    """Book one adjustment. Under the same key the ERP completes what is missing and never books twice.

    It does not compare references, and hours of signing may lie between `list_postings` and here: whether another
    run of the same batch was faster is asked once more.
    """
    _refuse_if_booked_by_another(arguments["reference"], context)
    return _receipt(_write(context, ERP, "/postings", arguments))


def find_posting(arguments: Fields, context: Any) -> Fields:
    """Ask the ERP's journal, by business key, what became of a posting nobody answered for."""
    return _happened(arguments["reference"], context)


def reverse_adjustment(arguments: Fields, context: Any) -> Fields:
    """Take a posting back: the ERP mirrors the lines it wrote and closes the original."""
    body = {"reference": arguments["reference"], "reason": arguments.get("reason", "compensation")}
    return _receipt(_write(context, ERP, "/reversals", body))


def find_reversal(arguments: Fields, context: Any) -> Fields:
    """A reversal is a posting of its own, named after the one it takes back."""
    return _happened(f"REV-{arguments['reference']}", context)


def read_account(arguments: Fields, context: Any) -> Fields:
    """Master data of both accounts. No balance: our own postings move it, and approvals must survive them."""
    return {name: _master_data(arguments[name], context) for name in ("account", "counter_account")}


# Agents


def classify_batch(input: Fields, context: Any) -> Fields:
    """Say of every row what it is, and of every difference which posting would settle it.

    The rules are deterministic. A model call belongs here later: its answer takes the place of `classify` and
    is checked against the same output schema.
    """
    bank, ledger = _parsed(input, context)
    findings = classify(bank, ledger)
    return {
        "counts": counts(findings),
        "adjustments": adjustments(findings, input["batch_id"]),
        "unsettled": [
            {"reference": finding.row.reference, "kind": finding.kind, "reason": finding.reason}
            for finding in findings
            if finding.kind != "matched" and not finding.difference
        ],
    }


def post_adjustments(input: Fields, context: Any) -> Fields:
    """Propose each adjustment in order. What a person turns down is left out; the others still go through.

    A step that proposes more calls than the runner allows (256) is failed for good half-way, and what is left of it
    could never be redriven. So the rest of a large batch is left to the next run, which finds these booked.
    """
    known = {*input.get("already_posted", []), *input.get("unfinished", [])}
    wanted = [adjustment for adjustment in input["adjustments"] if adjustment["reference"] not in known]
    posted, refused = [], []
    for adjustment in wanted[:MOST_POSTINGS]:
        try:
            posted.append(context.call("erp.post_adjustment", adjustment))
        except context.BusinessError as no:
            refused.append({"reference": adjustment["reference"], "reason": str(no)})
    return {"posted": posted, "refused": refused, "left": len(wanted[MOST_POSTINGS:])}


def report(input: Fields, context: Any) -> Fields:
    """The outcome in one paragraph, and the list of what a bookkeeper still has to look at."""
    posted, refused, unfinished = input["posted"], input["refused"], input.get("unfinished", [])
    skipped = len(input.get("already_posted", []))
    summary = (
        f"Batch {input['batch_id']}: {_many(input['counts'].get('matched', 0), 'row')} matched,"
        f" {_many(len(posted), 'adjustment')} posted, {skipped} in the books already, {len(refused)} turned down,"
        f" {_many(len(input['unsettled']), 'row')} left to a bookkeeper."
    )
    attention = [f"{item['reference']}: {item['reason']}" for item in [*refused, *input["unsettled"]]]
    attention += [f"{reference}: {UNFINISHED}" for reference in unfinished]
    if left := input.get("left", 0):
        attention.insert(
            0,
            f"{_many(left, 'adjustment')} left to the next run, a run proposes {MOST_POSTINGS}: run the same files again",
        )
    return {"summary": summary, "needs_attention": attention}


# Shared


def _checked(arguments: Fields, context: Any) -> Fields:
    currency = batch_currency(arguments["bank"], arguments.get("currency"))
    _parsed({**arguments, "currency": currency}, context)
    _refuse_more_than_can_be_fetched(arguments, context)
    label = arguments.get("batch", "")
    return {"label": label, "currency": currency, "bank": arguments["bank"], "ledger": arguments["ledger"]}


def _refuse_more_than_can_be_fetched(arguments: Fields, context: Any) -> None:
    """What a step gives holds a million bytes at most, and the step after this one gives all rows again."""
    rows = {name: arguments[name] for name in ("bank", "ledger")}
    size = len(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MOST_BYTES:
        raise context.BusinessError(
            f"the rows of both files take {size:,} bytes, and a batch may have {MOST_BYTES:,};"
            " export a shorter range of days, and reconcile one after the other"
        )


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _parsed(fields: Fields, context: Any) -> Any:
    try:
        return parse_files(fields["bank"], fields["ledger"], fields["currency"])
    except BadRows as error:
        raise context.BusinessError(str(error)) from error


def _refuse_if_booked_by_another(reference: str, context: Any) -> None:
    for posting in _postings("reference", reference, context):
        if posting["idempotency_key"] != context.idempotency_key:
            raise context.BusinessError(
                f"{posting['posting']} already carries this reference; {BOOKED[posting['status']]}"
            )


def _postings(name: str, value: str, context: Any) -> list[Fields]:
    found: list[Fields] = _read(context, ERP, f"/postings?{name}={quote(value, safe='')}")["postings"]
    return found


def _is_done_reversal(posting: Fields) -> bool:
    return bool(posting["reverses"]) and posting["status"] == "complete"


def _happened(reference: str, context: Any) -> Fields:
    found = _postings("reference", reference, context)
    if not found:
        return {"happened": "no", "result": None, "detail": f"the journal has no posting {reference}"}
    if len(found) > 1:
        return {"happened": "unknown", "result": None, "detail": f"{len(found)} postings carry {reference}"}
    posting = found[0]
    written = f"{posting['lines_written']} of {posting['lines_expected']} lines of {posting['posting']} are written"
    happened = "partly" if posting["status"] == "partial" else "yes"
    return {"happened": happened, "result": _receipt(posting), "detail": written}


def _receipt(posting: Fields) -> Fields:
    names = ("posting", "reference", "status", "lines_written", "lines_expected")
    return {name: posting[name] for name in names}


def _master_data(account: str, context: Any) -> Fields:
    answer = _read(context, ERP, f"/accounts/{quote(account, safe='')}")
    return {name: answer[name] for name in ("account", "name", "status", "posting_limit", "revision")}


def _read(context: Any, system: str, path: str) -> Fields:
    answer: Fields = context.http_json("GET", os.environ[system] + path, timeout=READ_SECONDS)
    return answer


def _write(context: Any, system: str, path: str, body: Fields) -> Fields:
    """Send it under the key the control plane minted: the same one in every retry."""
    headers = {"Idempotency-Key": context.idempotency_key}
    address = os.environ[system] + path
    answer: Fields = context.http_json("POST", address, body, headers=headers, timeout=WRITE_SECONDS)
    return answer
