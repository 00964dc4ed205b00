"""Actions and dead letters: totals that agree with the books, an answer where nobody can look, a retry that is not yet a fix."""

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from audit.ids import new_id
from audit.lifecycle import database_now
from audit.templatetags._status import pill
from budgets.models import LedgerEntry
from budgets.operations import Place, charge, correct, import_call
from budgets.pricing import Usage
from orchestrator.engine.sweep import sweep
from orchestrator.gate import redeem
from orchestrator.gate.edit import edit
from orchestrator.models import Action, DeadLetter
from orchestrator.queries import actions
from orchestrator.queries.costs import cost_of
from tests import make


def test_a_total_below_nought_keeps_its_sign(unit, ada, as_ada):
    """Of a day on which nothing but a correction was written."""
    usage, place = Usage(cost=Decimal("0.75"), currency="USD"), Place(unit_id=unit.pk, agent="poster")
    line = import_call(usage, place, at=database_now() - timedelta(days=3))
    correct(line, to=Decimal("0.25"), why="the invoice", by=make.actor(ada))

    page = as_ada.get(reverse("actions"), {"since": "24"}).content.decode()

    assert "<strong>-0.50 USD</strong>" in page


class TestWhoApproved:
    """Of a foreign agent's call this page is all the evidence there is."""

    def test_are_told_by_account_for_whom_and_over_which_version(self, unit, grace, linus, ada, as_ada):
        mary = make.person("mary", "view", "review", of=unit)
        make.policy(condition="true", required=2)
        request = make.approved(make.request(), grace)
        edit(request_id=request.pk, by=make.actor(linus), digest=request.digest, revision=request.revision,
             arguments={**make.arguments(), "amount": "9.00"}, note="Less")  # fmt: skip
        request.refresh_from_db()
        for signer in (grace, mary):
            make.approved(request, signer)
        call = Action.objects.get(pk=request.subject_id)

        page = " ".join(as_ada.get(call.get_absolute_url()).content.decode().split())

        facts = page.split('id="facts"')[1].split("</dl>")[0]
        assert [facts.count(f"user:{one.pk}</code>") for one in (grace, mary, linus)] == [2, 1, 0]
        assert facts.count("Of an earlier version, it counts no more") == 1
        assert f'<code class="muted">{call.requester}</code> through' in page


class TestTotals:
    @pytest.fixture(autouse=True)
    def calls(self, unit):
        read = make.tool("kb.search", effect="read", tier="informational", record="", probe="", input_schema={})
        usage = Usage(cost=Decimal("0.0123"), currency="USD", input_tokens=1000, output_tokens=50)
        for number in range(3):
            make.carried_out(make.action(using=read), "success" if number else "business_error", cost=usage)
        make.action("9.00")

    def test_are_sums_over_the_whole_list(self, as_ada):
        totals = as_ada.get(reverse("actions")).content.decode().split('id="totals"')[1].split("</section>")[0]

        assert "3,000</span> in" in totals
        assert "150</span> out" in totals
        assert "0.0369 USD" in totals
        assert "with the model calls that were reported beside" in totals
        assert "<dt>State</dt>" in totals  # one of them waits: it has not ended as anything

    def test_count_one_call_as_one(self, unit, as_ada):
        charge(Usage(model="nobody-knows-it", input_tokens=5), Place(unit_id=unit.pk, agent="poster"))

        assert "and 1 call of unknown cost" in as_ada.get(reverse("actions"), {"agent": "poster"}).content.decode()

    def test_follow_the_filters(self, as_ada):
        page = as_ada.get(reverse("actions"), {"status": "failed"}).content.decode()

        assert "0.0123 USD" in page
        assert "reported beside" not in page
        assert page.count("data-row") == 1

    def test_of_more_calls_than_are_added_up_say_so_and_what_is_known_anyway(self, as_ada, monkeypatch):
        monkeypatch.setattr(actions, "ADDED_UP_TO", 2)
        whole, narrowed, few = (
            as_ada.get(reverse("actions"), query).content.decode()
            for query in ({}, {"tier": "informational"}, {"status": "failed"})
        )

        assert all("2+" in page and "Narrow the list to see how they ended." in page for page in (whole, narrowed))
        assert "0.0369 USD" in whole
        assert "Narrow the list to see what they cost" in narrowed
        assert "0.0369 USD" not in narrowed
        assert "0.0123 USD" in few
        assert "Narrow the list" not in few

    @pytest.mark.parametrize("query", [{}, {"agent": "poster"}, {"since": "1"}, {"status": "succeeded"}, {"q": "kb."}])
    def test_cost_what_their_lines_say(self, as_ada, query):
        """Yesterday's too, one that nobody priced, and one of an execution's calls."""
        held = Action.objects.get(execution_id=make.execution("waiting").pk)
        for cost, call, days in (("0.5", held, 0), (None, None, 0), ("0.25", None, 1)):
            place = Place(
                unit_id=held.unit_id,
                agent="poster",
                execution_id=call and call.execution_id,
                action_id=call and call.pk,
            )
            usage = Usage(cost=cost and Decimal(cost), currency="USD" if cost else "", model="m", input_tokens=7)
            import_call(usage, place, at=database_now() - timedelta(days=days))
        rows = actions.narrowed(Action.objects.all(), actions.ActionFilters(**{**query, "since": None}))
        lines = (
            LedgerEntry.objects.filter(action_id__in=rows.values("pk"))
            if {"status", "q"} & {*query}
            else LedgerEntry.objects.all()
        )
        lines = lines.filter(at__gte=database_now() - timedelta(hours=1)) if "since" in query else lines

        totals = as_ada.get(reverse("actions"), query).context["listing"].totals

        assert totals.cost == cost_of(lines)
        assert totals.cost.lines


class TestFilters:
    def test_offer_who_may_call_and_what_was_called_without_a_contract(self, as_ada, unit):
        make.agent("looker")
        make.action()
        Action.objects.update(tool="gone.away")

        fields = as_ada.get(reverse("actions")).context["form"].fields

        assert {"looker", "poster"} <= {name for name, _ in fields["agent"].choices}
        assert {"erp.post_adjustment", "gone.away"} <= {name for name, _ in fields["tool"].choices}

    def test_offer_nobody_elses(self, unit, as_eve):
        make.agent("looker")
        make.action()

        assert [name for name, _ in as_eve.get(reverse("actions")).context["form"].fields["agent"].choices] == [""]


class TestOneTruth:
    def test_about_the_tier_on_every_page(self, unit, as_grace):
        """The tool's own tier is customer-facing; the policy asks for two, so it is a financial act everywhere."""
        make.policy()
        request = make.request("4860.00")
        make.request("9.00")

        rows = as_grace.get(reverse("actions"), {"tier": "financial"}).content.decode()
        pages = [as_grace.get(address).content.decode() for address in (
            request.get_absolute_url(), reverse("action", args=[request.subject_id]),
        )]  # fmt: skip

        assert Action.objects.get(pk=request.subject_id).tier == request.tier == "financial"
        assert rows.count("data-row") == 1
        assert all(
            re.search(r'data-tone="wait"[^>]*>\s*(<svg.*?</svg>)?\s*Financial', page, re.DOTALL) for page in pages
        )
        assert not any(">Customer-facing<" in page for page in pages)

    def test_about_the_tier_of_an_edited_act(self, unit, grace):
        make.policy()
        request = make.request("9.00")
        action = Action.objects.get(pk=request.subject_id)

        edited = edit(request_id=request.pk, by=make.actor(grace), digest=request.digest, revision=request.revision,
                      arguments={**json.loads(action.arguments), "amount": "4860.00"})  # fmt: skip

        action.refresh_from_db()
        assert action.tier == edited.tier == "financial"

    @pytest.mark.parametrize(
        ("list_name", "filter_name", "domain"),
        [("actions", "status", "action"), ("actions", "verdict", "verdict"), ("actions", "tier", "tier"),
         ("executions", "state", "execution"), ("dead_letters", "status", "dead_letter"),
         ("dead_letters", "failure", "failure")],
    )  # fmt: skip
    def test_filters_say_what_the_badges_say(self, as_ada, list_name, filter_name, domain):
        form = as_ada.get(reverse(list_name)).context["form"]

        offered = [(value, words) for value, words in form.fields[filter_name].choices if value]

        assert offered
        assert offered == [(value, pill(domain, value).word) for value, _ in offered]
        assert len({words for _, words in offered}) == len(offered)


class TestHowItIsUndone:
    def page(self, browser, action):
        return browser.get(action.get_absolute_url()).content.decode()

    def test_is_no_question_where_nothing_was_carried_out(self, unit, grace, as_ada):
        make.tool("erp.reverse")
        using = make.tool("erp.post", compensate_with="erp.reverse")
        asked = make.request(using=using)
        waiting, denied = Action.objects.get(pk=asked.subject_id), make.action("none", using=using, account=5)
        assert (denied.verdict, "Can be undone by erp.reverse" in self.page(as_ada, waiting)) == ("deny", True)

        make.rejected(asked, grace)

        for action in (waiting, denied):
            assert "Nothing to undo: it was never carried out." in self.page(as_ada, action)

    def test_leaves_what_is_on_its_way_a_write(self, unit, ada, as_ada):
        make.tool("erp.reverse")
        make.tool(tier="informational", compensate_with="erp.reverse")
        started = make.execution(by=ada)
        segment = make.at_second_step(started)
        sent = make.held_in(started)
        redeem.redeem(action_id=sent.pk, by=make.MAKER, fence=segment.fence)

        page = self.page(as_ada, sent)

        assert "Cannot be undone yet: it is on its way" in page
        assert pill("effect", "write").word in page


class TestAReadThatIsNeverReported:
    @pytest.fixture
    def read(self, unit):
        using = make.tool("kb.search", effect="read", tier="informational", record="", probe="", input_schema={})
        sent = make.action(using=using)
        redeem.redeem(action_id=sent.pk, by=make.MAKER, fence=new_id())
        return sent

    def badge(self, browser, address, **filters):
        return re.findall(r"(Under way|Not reported)</span>", browser.get(address, filters).content.decode())

    def test_is_under_way_for_an_hour_and_then_said_to_be_silent(self, read, as_ada):
        listed, own = reverse("actions"), read.get_absolute_url()
        assert (self.badge(as_ada, listed), self.badge(as_ada, own)) == (["Under way"] * 2, ["Under way"])

        make.later("orchestrator_action", "redeemed_at", read.pk, 3_700)

        assert (self.badge(as_ada, listed), self.badge(as_ada, own)) == (["Not reported"] * 2, ["Not reported"])
        assert "nobody has to find out; a report still counts" in as_ada.get(own).content.decode()
        assert self.badge(as_ada, listed, status="redeemed") == []
        assert self.badge(as_ada, listed, status="unreported") == ["Not reported"] * 2
        sweep()
        assert Action.objects.get(pk=read.pk).status == "redeemed"


class TestUnknownOutcome:
    @pytest.fixture
    def action(self, unit, grace, linus):
        pay = make.tool("pay", effect="irreversible", probe="", record="", idempotency_class="C")
        request = make.approved(make.request(using=pay, reference="PAY-1"), grace)
        granted = Action.objects.get(pk=request.subject_id)
        return make.carried_out(granted, "unknown", message="the line went dead")

    def test_asks_an_operator_what_happened(self, action, as_ada, as_grace):
        assert "It did not happen" in as_ada.get(action.get_absolute_url()).content.decode()
        assert "It did not happen" not in as_grace.get(action.get_absolute_url()).content.decode()

    @pytest.mark.parametrize(
        ("verdict", "becomes"), [("happened", "succeeded"), ("did_not", "granted"), ("cannot_tell", "unknown")]
    )
    def test_goes_where_the_answer_leads(self, action, as_ada, verdict, becomes):
        answer = {"verdict": verdict, "code": "other", "note": "bank statement, line 4"}

        reply = as_ada.post(reverse("action_answers", args=[action.pk]), answer)

        assert reply.status_code == 302
        assert Action.objects.get(pk=action.pk).status == becomes

    def test_needs_an_answer_and_how_one_knows(self, action, as_ada):
        reply = as_ada.post(reverse("action_answers", args=[action.pk]), {"verdict": "", "note": ""})

        assert reply.status_code == 422
        assert Action.objects.get(pk=action.pk).status == "unknown"

    def test_is_not_for_a_reviewer_to_settle(self, action, as_grace):
        reply = as_grace.post(
            reverse("action_answers", args=[action.pk]), {"verdict": "happened", "code": "other", "note": "x"}
        )

        assert reply.status_code == 403


class TestDeadLetter:
    def test_names_owner_runbook_and_last_evidence(self, unit, as_ada):
        page = as_ada.get(make.dead_letter().get_absolute_url()).content.decode()

        assert all(
            words in page for words in ("agent_owner", "Redrive it.", "The ERP answered 503.", "&quot;503&quot;")
        )

    def test_says_queued_for_retry_and_never_fixed_before_it_is(self, unit, as_ada):
        letter = make.dead_letter()

        reply = as_ada.post(reverse("dead_letter_retries", args=[letter.pk]), follow=True)

        page = reply.content.decode()
        assert "Queued for retry" in page
        assert "Fixed" not in page
        assert DeadLetter.objects.get(pk=letter.pk).status == "redriven"

    def test_is_fixed_once_the_step_was_seen_to_succeed(self, unit, as_ada):
        letter = make.dead_letter()
        as_ada.post(reverse("dead_letter_retries", args=[letter.pk]))

        make.settle_success(make.claimed(letter.execution), input={}, output={"posted": 1})

        assert "Fixed: the step was seen to succeed." in as_ada.get(letter.get_absolute_url()).content.decode()

    def test_redriven_twice_is_refused_the_second_time(self, unit, as_ada):
        letter = make.dead_letter()
        as_ada.post(reverse("dead_letter_retries", args=[letter.pk]))

        assert as_ada.post(reverse("dead_letter_retries", args=[letter.pk])).status_code == 409

    def test_is_discarded_with_a_reason_only(self, unit, as_ada):
        letter = make.dead_letter()

        without = as_ada.post(reverse("dead_letter_discards", args=[letter.pk]), {"reason_code": ""})
        with_one = as_ada.post(
            reverse("dead_letter_discards", args=[letter.pk]), {"reason_code": "done_by_hand", "note": "paid by hand"}
        )

        assert (without.status_code, with_one.status_code) == (422, 302)
        assert DeadLetter.objects.get(pk=letter.pk).status == "discarded"

    def test_list_is_narrowed_by_failure_and_owner(self, unit, as_ada):
        make.dead_letter()

        assert (
            "data-row"
            in as_ada.get(reverse("dead_letters"), {"failure": "system", "owner": "agent_owner"}).content.decode()
        )
        assert "data-row" not in as_ada.get(reverse("dead_letters"), {"failure": "lost"}).content.decode()
