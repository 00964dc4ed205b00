from audit.models.event import AuditEvent, AuditStream
from audit.models.span import Span, SpanUse

__all__ = ["AuditEvent", "AuditStream", "Span", "SpanUse"]
