"""Every letter that is there gets the group it would have been written with, some hundred per transaction.

It may be interrupted and begun again, and letters written meanwhile by an older version are filed by the sweep.
"""

import hashlib
import re

from django.db import migrations, transaction

from audit import events
from audit.actors import system
from audit.ids import new_id
from orchestrator.engine.dead_letters.causes import fingerprint_of, pattern_of

BATCH = 500
MIGRATION = system("migration")


def file_all(apps, schema_editor):
    letters = apps.get_model("orchestrator", "DeadLetter")
    while True:
        with transaction.atomic():
            rows = letters.objects.select_for_update(of=["self"], skip_locked=True).filter(group=None)
            found = list(rows.select_related("step").defer("evidence", "step__input", "step__output")[:BATCH])
            for letter in found:
                _file(apps, letter)
        if not found:
            return


def _file(apps, letter):
    pattern = pattern_of(letter.message)
    names = {"failure_class": letter.failure_class, "component": letter.component}
    fingerprint = fingerprint_of(**names, step=letter.step.key, pattern=pattern)
    more = {"step_key": letter.step.key, "pattern": pattern, "owner": letter.owner, "runbook": letter.runbook}
    groups = apps.get_model("orchestrator", "FailureGroup").objects
    group, created = groups.get_or_create(
        unit_id=letter.unit_id,
        fingerprint=fingerprint,
        split_from=None,
        defaults={"id": new_id(), "unit_title": letter.unit_title, "status": "new", **names, **more},
    )
    if created:
        groups.filter(pk=group.pk).update(first_at=letter.first_at, seen_at=letter.last_at)
        fact = events.fact("failure_group.new", by=MIGRATION, object_id=group.pk, unit_id=group.unit_id, after="new",
                           why=pattern[:300])  # fmt: skip
        events.append(f"failure_group:{group.pk}", fact)
    kept = apps.get_model("orchestrator", "DeadLetter").objects.filter(pk=letter.pk)
    kept.update(fingerprint=fingerprint, group=group)


def take_apart(apps, schema_editor):
    """The way back: letters without groups, with the fingerprints they had. What the trail says of the groups stays."""
    letters = apps.get_model("orchestrator", "DeadLetter").objects
    while True:
        with transaction.atomic():
            found = list(letters.exclude(group=None).select_related("step").only("message", "component",
                         "failure_class", "step__key")[:BATCH])  # fmt: skip
            for letter in found:
                letters.filter(pk=letter.pk).update(group=None, fingerprint=_fingerprint_before(letter))
        if not found:
            return


def _fingerprint_before(letter):
    message = re.sub(r"[0-9a-f-]{8,}|\d+", "#", letter.message)
    shape = "|".join([letter.failure_class, letter.component, letter.step.key, message])
    return hashlib.sha256(shape.encode()).hexdigest()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0020_triage_indexes"), ("audit", "0002_append_only")]
    operations = [migrations.RunPython(file_all, take_apart)]
