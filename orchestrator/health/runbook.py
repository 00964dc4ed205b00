"""What each figure says, why its limits are what they are, and what to do. One text for the page and docs/health.md."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure's lines; `command` shows the same truth at a terminal."""

    says: str
    why: str
    do: str
    command: str


RUNBOOK = {
    "queue_age": Entry(
        "How long the oldest due step has waited without being claimed.",
        "A due step is claimed within half a second. A frozen cluster is replaced within ten seconds; a minute means that "
        "nobody claims.",
        "See Workers and Clusters first. If both are good, the hands are all busy: raise HANDS or add a host.",
        "select min(due_at), count(*) from orchestrator_step where status = 'pending' and due_at <= now()",
    ),
    "leases": Entry(
        "How far the oldest lease is past its time while its attempt still counts as running.",
        "The sweep gives such a step to somebody else within five seconds after its lease; thirty seconds are two leases.",
        "See Sweep: if it is late, start a worker. Nothing is lost and nothing runs twice: the old lease changes no row.",
        "select id, worker, lease_expires_at from orchestrator_attempt where status = 'running' "
        "and lease_expires_at <= now()",
    ),
    "approvals": Entry(
        "How long the oldest request has waited for people whose clock runs. Any that is past its time to decide makes it "
        "degraded.",
        "Eight hours are a working day; what waits for three days was forgotten by somebody.",
        "Open the list, the ones due first. Escalation has asked the next in line; assign one, or delegate.",
        "select title, created_at, decide_by from approvals_approvalrequest where status = 'pending' order by created_at",
    ),
    "dead_letters": Entry(
        "How many letters failed for good in the last ten minutes and are still open.",
        "A few are daily business; more than five in ten minutes are usually one cause, more than fifty an outage.",
        "Open the list and look for one component. Stop that tool, mend it, lift the stop, then redrive.",
        "select component, count(*) from orchestrator_deadletter where status = 'open' "
        "and last_at > now() - interval '10 minutes' group by 1",
    ),
    "workers": Entry(
        "How many worker hosts beat, of those that have not ended. A worker beats every two seconds.",
        "Three missed beats are no accident; after fifteen seconds, the length of a lease, its steps go to others.",
        "On the named host: does the process live, does it reach the database? A worker that was killed is forgotten "
        "when the next one starts on its host, or after a day.",
        "select host, pid, beat_at, busy, ended_at from orchestrator_workerhost order by beat_at desc",
    ),
    "clusters": Entry(
        "Whether claimed work progresses on every worker, and how often a cluster was replaced in ten minutes.",
        "A cluster that froze is replaced by itself; that it happens at all is worth knowing. Four times in ten minutes "
        "is a machine that does not heal.",
        "Read the worker's log around the restart. Often memory: the kernel kills one process and the others wait for it.",
        "select host, stands_still, restarts, restarted_at, restarted_why from orchestrator_workerhost",
    ),
    "sweep": Entry(
        "How long ago any worker last ended a round of the sweep: leases, timers, escalations, expiry.",
        "A round ends every second. Ten seconds late is a slow database, thirty is nobody.",
        "Start a worker. If one runs, its log says why its rounds fail; Database says whether it is slow.",
        "select host, swept_at, sweep_seconds from orchestrator_workerhost order by swept_at desc",
    ),
    "notices": Entry(
        "How late the oldest message to a person is, since it was first due.",
        "The first three tries take a minute; after ten minutes people do not know what waits for them.",
        "Is the mail server reachable from the workers (EMAIL_HOST)? Nothing is lost: it is tried for as long as it takes. "
        "SMTPRecipientsRefused: it is that person's address. Mend it in the admin; of somebody who is not active any more "
        "it is dropped.",
        "select person_id, due_at, tries, last_error from approvals_delivery where sent_at is null and dropped_at is null "
        "and person_id is not null order by due_at",
    ),
    "webhooks": Entry(
        "How late the oldest call to another system is, since it was first due.",
        "As for messages, but one receiver that is down for a while is its own affair: down only after an hour.",
        "Ask the receiver's owner, or disable the endpoint in the admin: its calls are then dropped as pointless.",
        "select endpoint_id, due_at, tries, last_error from approvals_delivery where sent_at is null "
        "and dropped_at is null and endpoint_id is not null order by due_at",
    ),
    "trace_export": Entry(
        "How far behind the trace sink is: everything that had ended by then was sent.",
        "It is sent within seconds. Nothing waits for it and nothing is lost: after a minute somebody should know, after ten "
        "people miss it.",
        "Does the sink answer (OTEL_EXPORTER_OTLP_ENDPOINT)? The worker's log says what it said. What it refuses for good is set "
        "aside: mend the sink, then `manage.py resend_traces`. Switched off at every worker, it is off a day later.",
        "select caught_up_at, failures, next_try_at, sent from orchestrator_traceexport; "
        "select at, status, spans from orchestrator_tracesetaside order by at",
    ),
    "database": Entry(
        "How long the database takes to answer nothing at all, seen from the web server; beside it size and replicas.",
        "On one network an answer takes a few milliseconds; a tenth of a second slows every page and every claim, a "
        "second is where /readyz gives up.",
        "Look at Connections and Longest transaction, then at the server: processor, disk, a backup under way.",
        "psql -c '\\timing on' -c 'select 1'",
    ),
    "connections": Entry(
        "How many client connections the server has, of the most it allows.",
        "The last few are needed by whoever comes to mend it.",
        "Each web thread and each busy hand keeps one. Fewer WEB_THREADS or HANDS, or a higher max_connections.",
        "select application_name, state, count(*) from pg_stat_activity group by 1, 2 order by 3 desc",
    ),
    "transaction": Entry(
        "How long the longest transaction has been open.",
        "Ours last milliseconds, and idle ones are ended after a minute; a long one keeps dead rows and may hold locks.",
        "Find it with the command; pg_cancel_backend(pid) ends what it runs. A backup or a migration may be meant to "
        "take long.",
        "select pid, application_name, xact_start, state from pg_stat_activity where xact_start is not null "
        "order by xact_start",
    ),
    "clock": Entry(
        "How far the worst worker host's clock is off the database's.",
        "Nothing here decides by a host's clock, so no outcome changes. But logs no longer line up, and from a minute on "
        "certificates and signatures of other systems fail.",
        "Mend the host's time synchronisation (chronyc tracking, timedatectl).",
        "select host, clock_skew_seconds from orchestrator_workerhost",
    ),
    "audit_chain": Entry(
        "When every hash chain of the trail was last recomputed, and whether all held.",
        "Once a day, with two hours to spare; a week without is no proof any more.",
        "Broken: keep the database as it is, tell the auditor, compare with the last backup. Otherwise run verify_audit "
        "daily.",
        "manage.py verify_audit",
    ),
    "backup": Entry(
        "When the last backup was reported here. Holdpoint makes none and believes none that is not reported.",
        "A daily backup, with two hours to spare; after three days a loss is three days of approvals.",
        "Let the job that makes the backup end with manage.py report_backup, only after it has succeeded.",
        'manage.py report_backup "nightly pg_basebackup, 1.2 GB"',
    ),
}
