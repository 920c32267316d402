"""The HTML: complete, linked, honest about its data, and safe whatever a text holds."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest
from jinja2 import meta
from jinja2.exceptions import UndefinedError

from reportgen.errors import RenderError
from reportgen.render import contexts, html
from reportgen.results import (
    Claim,
    Column,
    Identity,
    Number,
    Report,
    Table,
    Verdict,
    prose,
    section_with,
)

VIEWS = (
    contexts.Document,
    contexts.Cover,
    contexts.Contents,
    contexts.Claims,
    contexts.Chapter,
    contexts.Notice,
    contexts.Paragraph,
    contexts.TableView,
    contexts.FigureView,
    contexts.Piece,
    contexts.Sheets,
)


def small(*parts, **changes) -> Report:
    """A report of one chapter with one part that holds ``parts``."""
    section = section_with("tiny", "Tiny", "Q9", None, [("Results", list(parts))])
    empty = section_with("appendix", "Provenance", "Appendix", None, [])
    whole = Report(Identity("Title"), "standard", 0, "command", {"tiny": section}, empty)
    return dataclasses.replace(whole, **changes)


def test_every_table_and_figure_stands_once_numbered_in_reading_order(rendered) -> None:
    done = rendered("report")
    labels = [label.text.strip() for label in done.page.all("span", "label")]
    tables = [label for label in labels if label.startswith("Table")]
    drawings = [label for label in labels if label.startswith("Figure")]
    sections = (*done.report.sections, done.report.appendix)
    assert tables == [f"Table {i + 1}" for i in range(sum(len(s.tables) for s in sections))]
    assert drawings == [f"Figure {i + 1}" for i in range(sum(len(s.figures) for s in sections))]
    assert {
        len(re.findall(r"Figure|Table", figure.text)) for figure in done.page.all("figure")
    } == {1}


def test_every_picture_is_embedded_and_described_in_words(rendered) -> None:
    done = rendered("report")
    wanted = [f.alt for s in done.report.sections for f in s.figures.values()]
    pictures = done.page.all("img")
    assert sorted(picture.attributes["alt"] for picture in pictures) == sorted(wanted)
    assert all(p.attributes["src"].startswith("data:image/svg+xml;base64,") for p in pictures)


def test_every_link_leads_somewhere_and_no_id_stands_twice(rendered) -> None:
    for name in ("report", "troubled", "hostile"):
        page = rendered(name).page
        ids = Counter(e.attributes["id"] for e in page.elements if "id" in e.attributes)
        targets = {link.attributes["href"].removeprefix("#") for link in page.all("a")}
        named = {e.attributes.get("aria-labelledby", "report") for e in page.elements}
        assert set(ids.values()) == {1}
        assert targets | named <= set(ids)


def test_a_mention_of_a_figure_leads_to_the_figure_of_that_number(rendered) -> None:
    page = rendered("report").page
    mentions = page.all("a", "reference")
    assert mentions
    for mention in mentions:
        target = page.by_id(mention.attributes["href"].removeprefix("#"))
        label = next(e for e in page.all("span", "label") if e.within(target))
        assert label.text.strip() == mention.text.replace("\xa0", " ")


def test_ids_are_made_of_names_so_that_links_to_them_last(rendered) -> None:
    ids = {e.attributes.get("id") for e in rendered("report").page.elements}
    assert {"chapter-lstm", "chapter-lstm-results", "figure-lstm-precision-recall"} <= ids
    assert "table-autoencoder-latent-comparison" in ids


def test_a_number_in_a_sentence_tells_the_table_the_row_and_the_column_it_comes_from(
    rendered,
) -> None:
    page = rendered("report").page
    origin = "denoising.denoising_mse[2].test_mse"
    numbers = [n for n in page.all("span", "number") if n.attributes["data-origin"] == origin]
    assert {number.text for number in numbers} == {"0.0180"}
    assert {number.attributes["title"] for number in numbers} == {
        "Table 3, row 3 (Method denoising autoencoder), column Test MSE"
    }
    in_prose = [n for n in numbers if n.around[-1].tag == "p"]
    assert in_prose
    assert all(number.attributes["tabindex"] == "0" for number in in_prose)


def test_every_number_of_a_table_tells_where_it_comes_from(rendered) -> None:
    page = rendered("report").page
    shown = {number.attributes["data-origin"] for number in page.all("span", "number")}
    table = rendered("report").report.experiments["lstm"].tables["thresholds"]
    wanted = {
        f"lstm.thresholds[{row}].{column.name}" for row in range(3) for column in table.columns
    }
    assert wanted <= shown


def test_the_ends_of_an_interval_stand_with_their_value_and_not_in_columns_of_their_own(
    rendered,
) -> None:
    page = rendered("report").page
    table = page.by_id("table-autoencoder-latent-comparison")
    heads = [head.text for head in page.all("th") if head.within(table)]
    assert "Test MSE" in heads
    assert "low" not in heads
    interval = next(e for e in page.all("span", "interval") if e.within(table))
    assert interval.text == "[0.02219, 0.02281]"


def test_a_row_to_be_found_first_is_marked(rendered) -> None:
    page = rendered("report").page
    table = page.by_id("table-denoising-denoising-mse")
    (row,) = [row for row in page.all("tr", "highlight") if row.within(table)]
    assert "denoising autoencoder" in row.text


def test_the_cover_leaves_out_what_is_not_known() -> None:
    text = html.document(small(prose("Text.")), {})
    assert "Author" not in text
    assert "Student" not in text
    assert '<meta name="author"' not in text


def test_a_whole_report_on_published_data_warns_of_nothing(rendered) -> None:
    done = rendered("report")
    assert done.page.all("div", "notice") == []
    assert "sample" not in done.page.one("title").text.lower()
    assert done.page.one("body").attributes["data-notice"] == ""


def test_a_report_on_sample_data_says_so_in_every_place_where_one_looks(rendered) -> None:
    page = rendered("troubled").page
    warnings = [n for n in page.all("div", "warning") if "Built on sample data" in n.text]
    assert page.one("title").text.startswith("SAMPLE DATA")
    assert page.one("body").attributes["data-notice"] == "Built on sample data"
    described = {m.attributes.get("name"): m.attributes.get("content") for m in page.all("meta")}
    assert "sample data" in described["description"]
    assert "built on sample data" in described["keywords"]
    assert any(warning.within(page.one("header", "cover")) for warning in warnings)
    chapters = {c.attributes["id"]: c for c in page.all("section", "chapter")}
    assert any(warning.within(chapters["chapter-autoencoder"]) for warning in warnings)
    assert not any(warning.within(chapters["chapter-denoising"]) for warning in warnings)


def test_other_data_a_failure_parts_left_out_and_quick_settings_are_told(rendered) -> None:
    page = rendered("troubled").page
    cover = page.one("header", "cover")
    failed = page.by_id("chapter-denoising")
    told = [n.text for n in page.all("div", "notice") if n.within(cover)]
    assert any("failed" in text and "Denoising autoencoder" in text for text in told)
    assert any("Partial report" in text and "Sentiment with an LSTM" in text for text in told)
    assert any("Preset quick: subsets and few epochs" in text for text in told)
    (error,) = page.all("div", "error")[1:]
    assert error.within(failed)
    assert "loss is nan in epoch 3" in error.text
    assert any("Not the published data" in n.text for n in page.all("div", "remark"))


def test_only_quick_is_called_unfit_for_handing_in() -> None:
    thorough = html.document(small(prose("Text."), preset="thorough"), {})
    assert "Preset thorough" in thorough
    assert "handing in" not in thorough


def test_no_text_gets_through_as_markup_or_template(rendered) -> None:
    done = rendered("hostile")
    page = done.page
    assert page.all("script") == []
    assert len(page.all("style")) == len(page.all("title")) == 1
    assert not [name for e in page.elements for name in e.attributes if name.startswith("on")]
    assert {
        value.split(",")[0]
        for e in page.elements
        for name, value in e.attributes.items()
        if name == "src"
    } == {"data:image/svg+xml;base64"}
    assert "{{ 7 * 191 }}" in done.html
    assert "1337" not in page.one("body").text
    assert page.one("h1").text.startswith("<script>alert(1)</script> </style></title><img src=x")


def test_characters_that_no_document_may_hold_are_replaced(rendered) -> None:
    text = rendered("hostile").html
    text.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)
    assert "control\ufffd\ufffd\ufffd\ufffd and lone \ufffd surrogate" in text


def test_text_that_may_run_from_right_to_left_can_not_turn_its_neighbours_round(rendered) -> None:
    page = rendered("hostile").page
    cells = [e for tag in ("td", "th") for e in page.all(tag) if "right to left" in e.text]
    bodies = [cell for cell in cells if any(a.tag == "tbody" for a in cell.around)]
    assert bodies
    assert all(cell.attributes["dir"] == "auto" for cell in bodies)


def test_the_file_needs_nothing_from_outside(rendered) -> None:
    text = rendered("report").html
    style = rendered("report").page.one("style").text
    assert "@import" not in style
    assert set(re.findall(r"url\([\"']?([a-z]+):", style)) == {"data"}
    assert not re.search(r"""(src|href|srcset|action)=["']?(https?:|//)""", text)


def test_wide_content_scrolls_in_a_box_of_its_own(rendered) -> None:
    page = rendered("report").page
    for element in (*page.all("table"), *page.all("img")):
        assert any("scroll" in around.classes for around in element.around)
    assert re.search(r"\.scroll \{ overflow-x: auto", page.one("style").text)


def test_backticks_make_code_and_a_lonely_one_stays() -> None:
    text = html.document(small(prose("`Dense(32)` has ` more.")), {})
    assert "<p><code>Dense(32)</code> has ` more.</p>" in text


def test_code_may_hold_a_number_of_a_table() -> None:
    table = Table("t", "", (Column("n", "N", "", "", "d"),), ({"n": 32},))
    text = html.document(small(prose("`Dense({n})`", n=table.cell("n", n=32)), table), {})
    assert re.search(r"<code>Dense\(<span class=\"number\"[^>]*>32</span>\)</code>", text)


def test_a_table_is_written_exactly_so() -> None:
    """The golden file: what a small table becomes."""
    table = Table(
        "golden",
        "What is seen.",
        (
            Column("name", "Name"),
            Column("loss", "Loss", "Mean over <all> examples.", "bits", ".2f"),
        ),
        ({"name": "a & b", "loss": -1.5}, {"name": "none", "loss": None}),
        highlight=(0,),
    )
    text = html.document(small(table), {})
    found = re.search(r"<figure.*?</figure>", text, re.DOTALL)
    assert found is not None
    assert found[0] == GOLDEN.strip()


GOLDEN = """
<figure class="tabular narrow" id="table-tiny-golden">
<figcaption><span class="label">Table 1 </span>What is seen.</figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="Table 1">
<table>
<thead>
<tr>
<th scope="col" class="words">Name</th>
<th scope="col" class="numeric" title="Mean over &lt;all&gt; examples.">Loss <span class="unit">\
bits</span></th>
</tr>
</thead>
<tbody>
<tr class="highlight">
<th scope="row" class="words" dir="auto">a &amp; b</th>
<td class="numeric"><span class="number" data-origin="tiny.golden[0].loss" title="Table 1, row 1 \
(Name a &amp; b), column Loss: Mean over &lt;all&gt; examples.">−1.50</span></td>
</tr>
<tr>
<th scope="row" class="words" dir="auto">none</th>
<td class="numeric" dir="auto">–</td>
</tr>
</tbody>
</table>
</div>
<p class="notes"><span class="note"><b>Loss</b> Mean over &lt;all&gt; examples.</span> </p>
</figure>
"""


UNSURE = Table(
    "unsure",
    "Errors.",
    (
        Column("name", "Name"),
        Column("error", "Error", format=".2f"),
        Column("error_low", "", "95 % interval over images", format=".2f"),
        Column("error_high", "", "95 % interval over images", format=".2f"),
        Column("error_mean", "Over seeds", format=".2f"),
        Column("error_sd", "", "mean and deviation over seeds", format=".2f"),
        Column("p", "p", format="p"),
    ),
    (
        dict(
            zip(
                ("name", "error", "error_low", "error_high", "error_mean", "error_sd", "p"),
                ("one", 0.5, 0.25, 0.75, 0.625, 0.125, 0.0),
                strict=True,
            )
        ),
        {"name": "two", "error": 0.5, "p": 0.25}
        | dict.fromkeys(("error_low", "error_high", "error_mean", "error_sd")),
    ),
    trials=("LSTM, seed 0", ""),
)


def test_a_number_stands_with_its_interval_and_a_mean_with_its_deviation(page) -> None:
    seen = page(html.document(small(UNSURE), {}))
    one, two = seen.all("tr")[1:]
    assert one.text.split() == ["one", "0.50[0.25,", "0.75]", "0.62", "±", "0.12", "<", "0.001"]
    assert two.text.split() == ["two", "0.50", "–", "0.250"]
    assert [head.text for head in seen.all("th")[:4]] == ["Name", "Error", "Over seeds", "p"]
    notes = seen.one("p", "notes").text
    assert "[low, high] 95 % interval over images" in notes
    assert "± mean and deviation over seeds" in notes


def test_a_number_tells_the_training_and_seed_that_it_comes_from(page) -> None:
    text = prose(
        "{cell} and {number}.",
        cell=UNSURE.cell("error", name="one"),
        number=Number(1.5, ".1f", "a sum", "LSTM, seed 1"),
    )
    seen = page(html.document(small(text, UNSURE), {}))
    told = [number.attributes for number in seen.all("span", "number")]
    assert [a["data-trial"] for a in told[:2]] == ["LSTM, seed 0", "LSTM, seed 1"]
    assert all("LSTM, seed" in a["title"] for a in told[:2])
    [without] = [a for a in told if a["data-origin"] == "tiny.unsure[1].error"]
    assert "data-trial" not in without


def test_claims_stand_before_the_chapters_with_evidence_and_verdict(page) -> None:
    evidence = prose("It is {error}.", error=UNSURE.cell("error", name="one"))
    claim = Claim("small", "The error is < 1.", evidence, Verdict.SUPPORTED)
    report = small(UNSURE)
    tiny = dataclasses.replace(report.experiments["tiny"], claims=(claim,))
    own = Claim("own", "`tiny` wins.", prose("{x}", x=Number(2, "d", "x")), Verdict.CANT_TELL)
    report = dataclasses.replace(report, experiments={"tiny": tiny}, claims=(own,))
    text = html.document(report, {})
    seen = page(text)
    assert text.index('id="claims"') < text.index('id="chapter-tiny"')
    assert [cell.text for cell in seen.all("td", "verdict")] == ["supported", "can't be told"]
    assert "The error is < 1." in seen.by_id("claims").text
    assert 'data-origin="tiny.unsure[0].error"' in text
    assert '<a href="#claims">' in text


def test_the_rule_of_a_claim_stands_by_itself_below_its_evidence(page) -> None:
    rule = prose("Supported below {limit}.", limit=Number(1, "d", "the limit"))
    claim = Claim("small", "It is small.", prose("It is so."), Verdict.SUPPORTED, rule)
    bare = Claim("own", "Mine.", prose("Yes."), Verdict.CANT_TELL)
    report = dataclasses.replace(small(UNSURE), claims=(claim, bare))
    seen = page(html.document(report, {}))
    assert [found.text for found in seen.all("p", "rule")] == ["Supported below 1."]
    assert [cell.text for cell in seen.all("td", "evidence")] == [
        "It is so.Supported below 1.",
        "Yes.",
    ]


def test_claims_stand_below_each_other_on_a_phone_the_verdict_before_the_evidence(rendered) -> None:
    style = rendered("report").page.one("style").text
    [phone] = re.findall(r"@media \(max-width: 40rem\) \{(.*?)\n  \}", style, re.S)
    assert re.search(r"\.claims th, \.claims td \{ display: block", phone)
    orders = {name: int(place) for name, place in re.findall(r"\.(\w+) \{ order: (\d)", phone)}
    assert orders["verdict"] < orders["evidence"]


def test_tables_that_can_be_scrolled_show_it_by_a_shadow_at_the_edge(rendered) -> None:
    style = rendered("report").page.one("style").text
    [box] = re.findall(r"\.tabular \.scroll \{\s*background:(.*?)\}", style, re.S)
    assert box.count("local") == box.count("scroll") == 2  # covers that move, shadows that stay
    assert style.count("--shade") == 3  # it has a colour


def test_no_line_ends_within_a_number(page) -> None:
    text = prose("It is {p}.", p=Number(1e-5, "p", "a test"))
    [number] = page(html.document(small(text, UNSURE), {})).all("span", "number")[:1]
    assert number.text == "<\N{NO-BREAK SPACE}0.001"


def test_a_fingerprint_says_what_it_is(rendered) -> None:
    told = [found.text for found in rendered("report").page.all("span", "fingerprint")]
    assert told
    assert all(text.startswith("SHA-256 ") for text in told)


def test_a_report_without_claims_has_no_part_for_them() -> None:
    assert 'id="claims"' not in html.document(small(UNSURE), {})


def test_a_format_that_does_not_fit_its_value_is_an_error_that_names_both() -> None:
    table = Table("t", "", (Column("n", "N", "", "", "d"),), ({"n": 1.5},))
    with pytest.raises(RenderError, match=r"1\.5.*'d'"):
        html.document(small(table), {})


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_a_template_uses_exactly_what_its_context_holds(view: type) -> None:
    environment = html.environment()
    source, _, _ = environment.loader.get_source(environment, html.template_of(view))
    used = meta.find_undeclared_variables(environment.parse(source)) - set(environment.globals)
    assert used == {field.name for field in dataclasses.fields(view)}


def test_every_template_belongs_to_a_context_or_holds_macros() -> None:
    names = {name for name in html.environment().list_templates() if name.endswith(".j2")}
    assert names == {html.template_of(view) for view in VIEWS} | {"macros.html.j2"}


def test_a_name_that_a_template_does_not_know_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        html.environment().from_string("{{ missing }}").render()
