"""The tags as a page author writes them. Nothing an agent sends may become markup."""

# ruff: noqa: RUF001  (ambiguous characters are part of the subject)

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import engines
from django.test import RequestFactory

from audit.gallery import NASTY, FilterForm, SampleForm, gallery_context
from audit.templatetags.kit import visible

NOW = datetime(2026, 11, 21, 10, 42, 7, tzinfo=UTC)


def rendered(source: str, **context: object) -> str:
    template = engines["django"].from_string("{% load kit %}" + source)
    return template.render({"now": NOW, **context})


class TestBadge:
    def test_says_the_word_beside_the_shape(self):
        html = rendered('{% badge "step" "awaiting_approval" %}')

        assert 'data-tone="wait"' in html
        assert "#hourglass" in html
        assert "Waiting for approval" in html

    def test_takes_a_more_precise_word(self):
        assert "Waiting for signal" in rendered('{% badge "execution" "waiting" word="Waiting for signal" %}')


class TestNumbers:
    def test_keep_the_exact_amount_one_step_away(self):
        html = rendered("{% money amount 'USD' %}", amount=Decimal("0.0312"))

        assert "USD 0.03" in html
        assert "exactly USD 0.0312" in html


class TestTimes:
    def test_carry_utc_for_machines_and_people(self):
        html = rendered("{% when moment %}", moment=NOW - timedelta(minutes=3))

        assert 'datetime="2026-11-21T10:39:07Z"' in html
        assert 'data-utc="2026-11-21 10:39:07 UTC"' in html
        assert "3 min ago" in html

    def test_count_down_from_the_page_s_own_clock(self):
        html = rendered('{% due moment announce="APR-1" %}', moment=NOW + timedelta(minutes=4))

        assert 'data-tone="danger"' in html
        assert "in 4 min" in html
        assert 'data-announce="APR-1"' in html

    def test_may_be_missing(self):
        assert "not yet" in rendered("{% when nothing %}", nothing=None)
        assert "no limit" in rendered("{% due nothing %}", nothing=None)


class TestIds:
    def test_show_the_end_of_a_uuid_and_copy_all_of_it(self):
        html = rendered('{% oid value "EXE" "/executions/1/" %}', value="01936f0e-7c1a-7d55-9b1e-3f2a4860c0de")

        assert "EXE-4860c0de" in html
        assert 'data-copy="01936f0e-7c1a-7d55-9b1e-3f2a4860c0de"' in html
        assert 'href="/executions/1/"' in html


UNTRUSTED = [
    "{{ text|visible }}",
    "{% agent_text text %}",
    "{% json_view text title='T' %}",
    "{% json_view payload %}",
    "{% diff rows %}",
    "{% evidence rows %}",
    "{% timeline rows %}",
    "{% step_graph rows %}",
]


class TestUntrustedText:
    @pytest.mark.parametrize("source", UNTRUSTED)
    def test_is_inert_and_spelled_out_wherever_it_appears(self, source):
        row = {"label": NASTY, "before": "x", "after": NASTY, "value": NASTY, "source": NASTY, "matches": None}
        more = {"title": NASTY, "detail": NASTY, "actor": NASTY, "key": "k", "status": "pending", "at": NOW}

        html = rendered(source, text=NASTY, payload={NASTY: NASTY}, rows=[row | more])

        assert "<script" not in html
        assert "<b>bold" not in html
        assert "\u202e" not in html
        assert "\u0430" not in html.replace("мир", "")
        assert "RIGHT-TO-LEFT OVERRIDE" in html or "u202e" in html

    def test_is_cut_at_the_limit_with_its_whole_size(self):
        html = rendered("{% json_view value url='/whole/' %}", value={"x": "é" * 40_000})

        assert len(html) < 6_000
        assert "80.0 KB" in html
        assert 'href="/whole/"' in html

    def test_of_an_exact_payload_is_not_reformatted(self):
        assert "{&quot;b&quot;:1,&quot;a&quot;:[ ]}" in rendered("{% json_view raw %}", raw=b'{"b":1,"a":[ ]}')


class TestFrames:
    def test_escape_what_the_page_passes_in(self):
        html = rendered("{% panel title count=3 %}<p>{{ title }}</p>{% endpanel %}", title="<i>A & B</i>")

        assert "<i>" not in html
        assert html.count("&lt;i&gt;A &amp; B&lt;/i&gt;") == 2

    @pytest.mark.parametrize(("count", "shown"), [(0, "0"), (2414, "2,414"), ("10,000+", "10,000+")])
    def test_group_a_large_number_as_the_lists_do(self, count, shown):
        assert f'<span class="count">{shown}</span>' in rendered('{% panel "Letters" count=n %}{% endpanel %}', n=count)

    @pytest.mark.parametrize("frame", ["panel title", "fold title", "table title"])
    def test_spell_out_what_cannot_be_seen_in_a_name_from_elsewhere(self, frame):
        html = rendered(f"{{% {frame} %}}x{{% end{frame.split()[0]} %}}", title="pay\u202etol")

        assert "[U+202E RIGHT-TO-LEFT OVERRIDE]" in html
        assert "\u202e" not in html

    def test_name_their_heading(self):
        html = rendered('{% panel "What will happen" section="act" %}x{% endpanel %}')

        assert 'aria-labelledby="what-will-happen-title"' in html
        assert 'data-section="act"' in html

    def test_give_a_table_a_caption_and_a_region_that_scrolls(self):
        html = rendered('{% table "Waiting approvals" %}<tbody></tbody>{% endtable %}')

        assert re.search(r'role="region" aria-labelledby="(\S+)" tabindex="0".*<caption id="\1"', html, re.DOTALL)


class TestFields:
    def test_tie_help_and_error_to_the_input(self):
        form = SampleForm({"amount": ""})
        form.is_valid()

        html = rendered("{% field form.amount %}{% form_errors form %}", form=form)

        assert 'aria-describedby="id_amount_helptext id_amount_error"' in html
        assert 'id="id_amount_error"' in html
        assert 'aria-invalid="true"' in html
        assert 'href="#id_amount"' in html

    def test_group_choices_under_a_legend_with_nothing_chosen(self):
        html = rendered("{% field form.verdict %}", form=SampleForm())

        assert "<legend>Verdict</legend>" in html
        assert "checked" not in html

    def test_say_which_are_optional(self):
        assert "optional" in rendered("{% field form.q %}", form=FilterForm())


class TestTimeline:
    def test_tells_the_time_between_two_entries(self):
        entries = [{"at": NOW, "title": "sent"}, {"at": NOW + timedelta(seconds=5), "title": "no answer"}]

        html = rendered("{% timeline entries %}", entries=entries)

        assert "10:42:07.000" in html
        assert "+5.0 s" in html
        assert 'class="day"' not in html

    def test_names_the_day_wherever_it_changes(self):
        times = [NOW - timedelta(days=3), NOW - timedelta(days=3, minutes=-1), NOW]

        html = rendered("{% timeline entries %}", entries=[{"at": at, "title": "tried"} for at in times])

        assert re.findall(r'class="day">([^<]+)<', html) == ["18 Nov", "21 Nov"]


class TestStepGraph:
    def test_says_in_a_list_what_it_draws(self):
        nodes = [
            {"key": "fetch", "status": "success", "url": "#fetch"},
            {"key": "post", "status": "pending", "needs": ["fetch"]},
        ]

        html = rendered('{% step_graph nodes current="post" %}', nodes=nodes)

        assert html.count('href="#fetch"') == 2
        assert "after fetch" in html
        assert 'aria-current="step"' in html


class TestGallery:
    def test_shows_every_component_without_a_request_of_its_own(self):
        request = RequestFactory().get("/gallery/")
        context = gallery_context(NOW) | {"request": request}

        html = engines["django"].get_template("gallery/_words.html").render(context)
        html += engines["django"].get_template("gallery/_content.html").render(context)
        html += engines["django"].get_template("gallery/_stories.html").render(context)
        html += engines["django"].get_template("gallery/_states.html").render(context)
        html += engines["django"].get_template("gallery/_lists.html").render(context)

        for component in ("pill", "num", "when", "due", "oid", "agent-text", "json", "diff", "evidence", "timeline"):
            assert f'class="{component}"' in html


def test_the_same_mark_many_times_is_one_name_with_a_number():
    """Sixty of them would make a row of the queue as tall as the page."""
    shown = visible("a" + "\u0301" * 60 + "b")

    assert "COMBINING ACUTE ACCENT x" in shown
    assert len(shown) < 200
    assert shown.endswith("b")


class TestALineOfAnotherDirection:
    def test_takes_no_amount_behind_it_along(self):
        assert visible("Refund for שלום עולם: 12500.00 EUR") == "Refund for <bdi>שלום עולם</bdi>: 12500.00 EUR"

    def test_that_begins_so_stays_whole(self):
        assert visible("שלום 17 עולם & co") == "<bdi>שלום 17 עולם &amp; co</bdi>"

    def test_names_what_cannot_be_seen_as_ever(self):
        assert visible("Pay \u202eمرحبا 5") == (
            'Pay <span class="char">[U+202E RIGHT-TO-LEFT OVERRIDE]</span><bdi>مرحبا</bdi> 5'
        )

    def test_leaves_other_scripts_alone(self):
        assert visible("Café Größe 東京 <b>") == "Café Größe 東京 &lt;b&gt;"
