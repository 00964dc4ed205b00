"""A notice in words: title, due time and link. The title is spelled out like on a page, and always one line."""

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from approvals.models.notice import Notice
from audit.addresses import in_full
from audit.headlines import cut
from audit.templatetags._visible import pieces


def title_of(notice: Notice) -> str:
    """No line break reaches a header, and no invisible character passes for something else."""
    spelled = "".join(piece.text for piece in pieces(notice.title))
    return cut(" ".join(spelled.split()))


def link_to(notice: Notice) -> str:
    """Opens a page. Nothing is ever decided by following it."""
    return in_full(notice.path)


def subject_of(notices: list[Notice]) -> str:
    prefix = settings.EMAIL_SUBJECT_PREFIX
    if len(notices) == 1:
        return f"{prefix}{notices[0].get_kind_display()}: {title_of(notices[0])}"
    return f"{prefix}{len(notices)} things since the last message"


def text_of(notices: list[Notice]) -> str:
    """The body of a mail, one paragraph for each."""
    paragraphs = [
        "\n".join(line for line in (
            f"{notice.get_kind_display()}: {title_of(notice)}",
            notice.unit_title,
            f"Due {_clock(notice.due_at)}" if notice.due_at else "",
            link_to(notice),
        ) if line)
        for notice in notices
    ]  # fmt: skip
    end = f"How you are told: {in_full(reverse('notifications'))}"
    return "\n\n".join([*paragraphs, end])


def body_of(notice: Notice, *, slack: bool) -> bytes:
    """The body of a webhook. The bytes are what is signed, so they are made once a try and sent as they are."""
    if slack:
        due = f"\nDue {_clock(notice.due_at)}" if notice.due_at else ""
        text = f"{notice.get_kind_display()}: {_slack(title_of(notice))}{due}\n<{link_to(notice)}|Open it>"
        return json.dumps({"text": text}).encode()
    data: dict[str, Any] = {
        "id": str(notice.pk),
        "title": title_of(notice),
        "unit": notice.unit_title,
        "due_at": notice.due_at.isoformat() if notice.due_at else None,
        "url": link_to(notice),
    }
    told = {"type": f"holdpoint.{notice.kind}", "timestamp": notice.created_at.isoformat(), "data": data}
    return json.dumps(told, ensure_ascii=False).encode()


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _slack(text: str) -> str:
    """The three characters that mean something to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
