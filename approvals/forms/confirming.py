"""From a form to a voice that a second factor confirms: the one step before each verb that decides."""

from dataclasses import replace
from typing import Any

from approvals.authentication import step_up
from approvals.forms.deciding import BreakGlassForm
from approvals.models import ApprovalRequest, Verdict
from approvals.operations import Voice
from approvals.operations.emergencies import broken_before
from approvals.operations.voices import said_before
from audit.actors import Actor


def voice_of(form: Any, by: Actor) -> Voice:
    """The form's voice, confirmed by what was given with it. Raises what step_up.confirm raises.

    A wrong code is refused here. Nothing given, or given for something that no longer waits like this: the verb says so
    in its own order. So it does of what this person has recorded already: the code of then is no longer right, and was.
    A confirmation of a moment ago stands in for a new code.
    """
    voice: Voice = form.voice()
    request: ApprovalRequest = form.approval
    if not request.asks_step_up or (voice.digest, voice.revision) != (request.digest, request.revision):
        return voice
    if _is_recorded(form, request, by, voice):
        return voice
    if given := form.given():
        form.confirmed = step_up.confirm(
            request_id=request.pk, by=by, digest=voice.digest, revision=voice.revision, given=given
        )
        return replace(voice, confirmation=form.confirmed.pk)
    form.confirmed = step_up.still_good(request, by, voice.confirmation)
    return voice


def _is_recorded(form: Any, request: ApprovalRequest, by: Actor, voice: Voice) -> bool:
    """A POST that is sent again, because its answer was lost."""
    if isinstance(form, BreakGlassForm):
        return broken_before(request, by, voice)
    return said_before(request, by, form.cleaned_data.get("verdict", Verdict.ANSWER), voice)
