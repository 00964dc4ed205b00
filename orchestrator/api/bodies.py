"""Bodies of commands, field by field. What a name means stands in docs/api.md."""

from typing import Any

from rest_framework import serializers

from orchestrator.api.fields import Anything, Body, Id, Moment, Money, Object, Text, Whole

MOST_TOKENS = 10**12
MOST_SETTINGS = 20


class Context(Body):
    """Why the agent wants this, for the reviewer. It is the agent's word and is shown as such."""

    requester = Text(
        max_length=200, required=False, help_text="User name or e-mail address of the person the agent acts for"
    )
    reason = Text(max_length=5_000, required=False, allow_blank=True)
    evidence = serializers.ListField(child=Anything(), max_length=50, required=False)
    model_call = Object(required=False)


class Proposal(Body):
    tool = Text(max_length=200)
    arguments = Object()
    agent = Text(max_length=200, required=False, help_text="Default: the token's agent")
    unit = Text(max_length=80, required=False, help_text="Short name. Default: the token's unit")
    business_key = Text(
        max_length=300, required=False, allow_blank=True, help_text="Counts where the tool has no template for it"
    )
    execution = Id(required=False, allow_null=True, help_text="An execution of ours, or a run of your own system")
    context = Context(required=False)  # type: ignore[assignment]  # DRF takes it off the class
    idempotency_hint = Text(max_length=200, required=False, allow_blank=True)


def _part(help_text: str) -> Whole:
    text = f"{help_text}. Leave it out if nobody said: none is not the same"
    return Whole(required=False, allow_null=True, min_value=0, max_value=MOST_TOKENS, help_text=text)


def _refuse_too_large(attrs: dict[str, Any], whole: str, *parts: str) -> None:
    if sum(attrs.get(part) or 0 for part in parts) > attrs.get(whole, 0):
        raise serializers.ValidationError({parts[0]: [f"These are part of the {whole}, so not more."]}, code="invalid")


class Settings(Object):
    """Temperature and the like: a few names with plain values. Limits as of a handler (orchestrator/runner/jobs.py)."""

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if len(found) > MOST_SETTINGS:
            raise serializers.ValidationError(f"At most {MOST_SETTINGS} settings.", code="max_length")
        for name, value in found.items():
            if not isinstance(value, str | int | float | None) or len(str(value)) > 200 or not 0 < len(name) <= 60:
                raise serializers.ValidationError(
                    "A setting has a name of at most 60 characters and is a number, a yes or no, or a short text.",
                    code="invalid",
                )
        return found


class ModelCall(Body):
    """How a model was called, for the trace. Of what it was told only the digest is taken."""

    prompt = Text(max_length=200, required=False, help_text="Name and version of the prompt, as you keep them")
    settings = Settings(required=False, help_text="Temperature and the like")
    corpus = Text(max_length=200, required=False, help_text="The data it read, with its version")
    request = serializers.RegexField(r"\A[0-9a-f]{64}\Z", required=False, help_text="SHA-256 of the request, in hex")
    outcome = serializers.ChoiceField(["ok", "refused", "error"], default="ok")


class Consumption(Body):
    """What a call used. Without its cost it is estimated from the model's price, or unknown: never zero."""

    cost = Money(required=False, allow_null=True)
    currency = serializers.RegexField(r"\A[A-Z]{3}\Z", required=False, help_text="ISO 4217")
    input_tokens = Whole(required=False, min_value=0, max_value=MOST_TOKENS)
    output_tokens = Whole(required=False, min_value=0, max_value=MOST_TOKENS)
    cached_input_tokens = _part("Of the input tokens, those read from a cache")
    cache_write_tokens = _part("Of the input tokens, those written to a cache")
    reasoning_tokens = _part("Of the output tokens, those spent on reasoning")
    model = Text(max_length=200, required=False)
    provider = Text(max_length=100, required=False, help_text="Needed only where several sell a model of this name")
    is_batch = serializers.BooleanField(required=False, help_text="Sent as a batch, at the batch rate")
    call = ModelCall(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("cost") is not None and not attrs.get("currency"):
            raise serializers.ValidationError({"currency": ["An amount needs its currency."]}, code="required")
        _refuse_too_large(attrs, "input_tokens", "cached_input_tokens", "cache_write_tokens")
        _refuse_too_large(attrs, "output_tokens", "reasoning_tokens")
        return attrs


class Fault(Body):
    message = Text(max_length=5_000, required=False, allow_blank=True)

    def get_fields(self) -> Any:
        # `class` is the wire's word for it, and Python's for something else.
        return {"class": Text(max_length=80, required=False), **super().get_fields()}


class Outcome(Body):
    fence = Id()
    outcome = serializers.ChoiceField(["success", "business_error", "system_error", "unknown"])
    result = Anything(required=False, allow_null=True)
    error = Fault(required=False)
    usage = Consumption(required=False)
    started_at = Moment(required=False, allow_null=True)
    ended_at = Moment(required=False, allow_null=True)


class Reason(Body):
    reason = Text(max_length=1_000)


class Nothing(Body):
    """An empty object, or no body at all."""
