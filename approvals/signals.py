"""The messages that travel upwards: "your request was decided", "... was sent back"; sent inside the deciding transaction."""

from django.dispatch import Signal

# Sent with: request (ApprovalRequest, already moved). A failing receiver undoes the decision.
request_resolved = Signal()
# Sent with: request, when a question sent it back, and when the answer brought it back to the reviewers.
request_turned = Signal()
# Sent with: request, when a reviewer wants the record behind it read again.
reading_asked = Signal()
