"""The one message that travels upwards: "your request was decided", sent inside the deciding transaction."""

from django.dispatch import Signal

# Sent with: request (ApprovalRequest, already moved). A failing receiver undoes the decision.
request_resolved = Signal()
