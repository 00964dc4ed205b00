"""The knowledge base by corpus version. Code, so that a release carries the very texts it was tried with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Article:
    """One rule of the house, and what a customer is told of it; `intents` are the kinds of case it answers."""

    id: str
    title: str
    text: str
    to_customer: str
    intents: tuple[str, ...]


CORPORA = {
    "policy_corpus_2026_02": (
        Article(
            "refund-damaged",
            "Goods that arrive damaged",
            "A customer who receives damaged or broken goods gets the full price back or a "
            "replacement. Ask for a photo when the price is above 200. Refund within five working "
            "days.",
            "you get the full price back, within five working days.",
            ("damaged_goods",),
        ),
        Article(
            "refund-late",
            "Late deliveries",
            "When a parcel is late by more than three working days, the delivery fee is refunded. If "
            "it never arrived, treat the parcel as lost and refund the price.",
            "for a parcel that is late by more than three working days we refund the delivery fee, and "
            "for one that never arrived the price.",
            ("late_delivery",),
        ),
        Article(
            "refund-return",
            "Returns within thirty days",
            "Unused goods can be returned within thirty days of delivery. The price is refunded once "
            "the goods are back; the customer pays the return parcel unless the goods were wrong.",
            "unused goods can be sent back within thirty days of delivery. We refund the price once they are here.",
            ("return_goods",),
        ),
        Article(
            "billing-twice",
            "Invoices charged twice",
            "A payment taken twice is refunded in full at once. Check the invoice number first and "
            "tell the customer which of the two payments stays.",
            "a payment taken twice is refunded in full at once.",
            ("charged_twice",),
        ),
        Article(
            "order-cancel",
            "Cancelling an order",
            "An order can be cancelled free of charge until it has left the warehouse. Afterwards it is a return.",
            "an order can be cancelled free of charge until it has left the warehouse. Afterwards it is a return.",
            ("cancel_order",),
        ),
        Article(
            "account-access",
            "Access to an account",
            "Send the link to set a new password to the address on file, never to another one. Nothing is refunded.",
            "we have sent the link to set a new password to the address on file.",
            ("account_access",),
        ),
        Article(
            "tone",
            "How we write",
            "Short and concrete: name the order, say what happens next and by when. No promises "
            "beyond the rule that applies.",
            "",
            (),
        ),
        Article(
            "invoice-copy",
            "Copies of invoices",
            "Invoices of the last ten years can be sent again to the billing address on file.",
            "we send the invoice again, to the billing address on file.",
            ("invoice_copy",),
        ),
    ),
}
