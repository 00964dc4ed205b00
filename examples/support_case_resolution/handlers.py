"""The hands of the support workflow: four small judges, one search, one write.

All deterministic. Models will be called in `intake_classifier`, `response_writer` and `policy_checker`: what
they return is already bound by the schemas in agents.json.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote

from corpora import CORPORA, Article

Fields = dict[str, Any]

SECONDS = 2.5
SURE, TORN = 0.95, 0.6
LONGEST_REPLY = 1200

INTENTS = {
    "charged_twice": re.compile(r"charged twice|paid twice|double charge", re.IGNORECASE),
    "damaged_goods": re.compile(r"damaged|broken|cracked|defect", re.IGNORECASE),
    "late_delivery": re.compile(r"\blate\b|not arrived|never arrived", re.IGNORECASE),
    "return_goods": re.compile(r"\breturn\b|send (it|them) back", re.IGNORECASE),
    "cancel_order": re.compile(r"\bcancel", re.IGNORECASE),
    "account_access": re.compile(r"log ?in|password", re.IGNORECASE),
    "invoice_copy": re.compile(r"invoice .* again|copy of (the|my) invoice", re.IGNORECASE),
}
REFUNDED = ("charged_twice", "damaged_goods")
_LEGAL = re.compile(r"\b(lawyer|solicitor|sue|court|legal action)\b", re.IGNORECASE)
# An amount as a customer may write it, on either side of its currency; and the one way to write it that is read.
_MENTIONED = re.compile(r"(?:\bEUR|€) ?(\d[\d.,]*)|(\d[\d.,]*[.,]\d+)(?= ?(?:EUR\b|€))", re.IGNORECASE)
_AMOUNT = re.compile(r"(\d{1,3}(?:,\d{3})*|\d+)\.(\d{2})")
_SUBJECT = re.compile(r"\b(?:order \d+|INV-\d+)", re.IGNORECASE)
_PROMISES = re.compile(r"\b(guarantee|always|never again|compensation)\b", re.IGNORECASE)


# Agents


def intake_classifier(input: Fields, context: Any) -> Fields:
    """What the customer wants, and how sure that is. What rules must not answer, a person takes."""
    message = input["message"]
    if _LEGAL.search(message):
        raise context.BusinessError("the message speaks of legal action: a person must answer it")
    intents = [intent for intent, words in INTENTS.items() if words.search(message)]
    if not intents:
        raise context.BusinessError("no rule recognises what the customer wants: a person must read it")
    subject = _SUBJECT.search(message)
    return {
        "intent": intents[0],
        "confidence": SURE if len(intents) == 1 else TORN,
        "query": " ".join([*intents, message]),
        "subject": subject.group() if subject else "",
        "claimed_amount": _claimed(intents[0], message, context),
    }


def response_writer(input: Fields, context: Any) -> Fields:
    """A reply from the rules that were found, and the refund it grants."""
    refund = input["claimed_amount"] if input["intent"] in REFUNDED else 0.0
    rules = [article for article in input["articles"] if input["intent"] in article["intents"]]
    lines = [f"Dear {input.get('customer') or 'customer'},", f"about {input['subject'] or 'your message'}:"]
    lines += [article["to_customer"] for article in rules[:1]]
    if refund:
        lines.append(f"We refund EUR {refund:.2f}.")
    return {"reply": "\n".join(lines), "refund_amount": refund, "sources": [rule["id"] for rule in rules]}


def policy_checker(input: Fields, context: Any) -> Fields:
    """The share of house rules the draft keeps; the workflow says how much is enough."""
    reply, refund = input["reply"], input["refund_amount"]
    checks = {
        "rests_on_a_rule": bool(input["sources"]),
        "refund_was_claimed": refund <= input["claimed_amount"],
        "refund_is_known": refund > 0 or input["intent"] not in REFUNDED,
        "promises_nothing_else": not _PROMISES.search(reply),
        "is_short": len(reply) <= LONGEST_REPLY,
    }
    return {"score": round(sum(checks.values()) / len(checks), 3), "checks": checks}


# Tools


def kb_search(arguments: Fields, context: Any) -> Fields:
    """The articles that share most words with the query, best first."""
    corpus = CORPORA.get(arguments["corpus"])
    if corpus is None:
        raise context.BusinessError(f"no corpus {arguments['corpus']!r}; known: {', '.join(CORPORA)}")
    words = _words(arguments["query"])
    ranked = sorted(corpus, key=lambda article: (-_shared(article, words), article.id))
    best = [article for article in ranked if _shared(article, words)][: arguments.get("max_results", 5)]
    return {"articles": [_as_fields(article, words) for article in best]}


def update_case(arguments: Fields, context: Any) -> Fields:
    """Write the reply and the refund into the case; under the same key the CRM writes it once."""
    headers = {"Idempotency-Key": context.idempotency_key}
    path = f"{_case(arguments)}/updates"
    answer: Fields = context.http_json("POST", path, _update(arguments), headers=headers, timeout=SECONDS)
    return answer


def find_update(arguments: Fields, context: Any) -> Fields:
    """Look in the case for this very update: an older one with another reply is not it."""
    updates = context.http_json("GET", _case(arguments), timeout=SECONDS)["updates"]
    same = [update for update in updates if _update(update) == _update(arguments)]
    if not same:
        return {"happened": "no", "result": None, "detail": f"{len(updates)} other updates, not this one"}
    return {"happened": "yes", "result": same[-1], "detail": f"it is {same[-1]['update']}"}


# Shared


def _claimed(intent: str, message: str, context: Any) -> float:
    """The one amount the message names, else nothing. Where money goes out by it, a doubt is a person's to settle."""
    amounts = _amounts(message)
    read = [_read(amount) for amount in amounts]
    if intent in REFUNDED and None in read:
        odd = amounts[read.index(None)]
        raise context.BusinessError(f"EUR {odd} is not written like EUR 1,140.00: a person must say what is claimed")
    if intent in REFUNDED and len(read) > 1:
        raise context.BusinessError(f"it names EUR {' and EUR '.join(amounts)}: a person must say what is claimed")
    return next((amount for amount in read if amount is not None), 0.0)


def _amounts(message: str) -> list[str]:
    """Each amount once, as the customer wrote it, without the point that ends a sentence."""
    written = ((behind or before).rstrip(".,") for behind, before in _MENTIONED.findall(message))
    return list(dict.fromkeys(written))


def _read(amount: str) -> float | None:
    found = _AMOUNT.fullmatch(amount)
    return float(f"{found[1].replace(',', '')}.{found[2]}") if found else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower().replace("_", " ")))


def _shared(article: Article, words: set[str]) -> int:
    return len(words & _words(" ".join([article.title, article.text, *article.intents])))


def _as_fields(article: Article, words: set[str]) -> Fields:
    shown: Fields = {name: getattr(article, name) for name in ("id", "title", "text", "to_customer")}
    return {**shown, "intents": list(article.intents), "shared_words": _shared(article, words)}


def _case(arguments: Fields) -> str:
    return f"{os.environ['CRM_URL']}/cases/{quote(arguments['case_id'], safe='')}"


def _update(fields: Fields) -> Fields:
    return {name: fields[name] for name in ("intent", "reply", "refund_amount")}
