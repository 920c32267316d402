"""The PDF: nothing leaves its page, everything can be found, the same bytes every time."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from weasyprint.formatting_structure import boxes

from reportgen.errors import RenderError
from reportgen.render import compose, contexts, figures, files, paper, pdf
from reportgen.render.manuscript import Manuscript

MILLIMETRE = 96 / 25.4


@pytest.fixture(scope="session")
def logged() -> Iterator[list[str]]:
    """The warnings that were logged, by whatever library, while PDFs were made."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    yield messages
    logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="session")
def made(rendered, logged):
    """A PDF of an example report, as bytes, by its name."""

    @cache
    def make(name: str) -> bytes:
        done = rendered(name)
        return paper.pdf(compose.document(done.report, done.figures), typeset)

    return make


@pytest.fixture(scope="session")
def laid_out(rendered):
    """The boxes of each page of an example report, as WeasyPrint placed them."""
    import weasyprint

    def lay_out(name: str):
        done = rendered(name)
        view = compose.document(done.report, done.figures)
        front = contexts.Piece((view.cover, view.contents))
        found = []
        for html, css in map(paper.manuscript, [front, *paper.body_of(view)]):
            text = html.replace("</head>", f"<style>{css}</style></head>")
            found += weasyprint.HTML(string=text).render().pages
        return [page._page_box for page in found]

    return lay_out


def typeset(manuscripts: Sequence[Manuscript]) -> list[bytes]:
    return [pdf.typeset(manuscript) for manuscript in manuscripts]


def reader(content: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(content))


def test_nothing_is_logged_while_a_report_is_rendered(made, logged) -> None:
    for name in ("report", "troubled"):
        made(name)
    assert logged == []


@pytest.mark.parametrize("name", ["report", "hostile"])
def test_nothing_leaves_the_margins(laid_out, name: str) -> None:
    left, right, bottom = 23 * MILLIMETRE, (210 - 22) * MILLIMETRE, (297 - 23) * MILLIMETRE
    for page in laid_out(name):
        (body,) = [box for box in page.children if isinstance(box, boxes.BlockBox)]
        for box in body.descendants():
            if not isinstance(box, boxes.TextBox | boxes.ReplacedBox | boxes.TableCellBox):
                continue
            assert box.position_x >= left - 1, box
            assert box.position_x + box.width <= right + 1, box
            assert box.position_y + box.height <= bottom + 1, box


def test_no_heading_ends_a_page_and_no_figure_loses_its_caption(laid_out) -> None:
    pages = laid_out("report")
    captioned = 0
    for page in pages:
        elements = [box for box in page.descendants() if box.element is not None]
        blocks = [b for b in elements if isinstance(b, boxes.BlockBox) and not b.is_floated()]
        headings = [b for b in blocks if b.element_tag in ("h2", "h3")]
        prose = [b for b in elements if b.element_tag in ("p", "img", "table", "li", "dd")]
        lowest = max(box.position_y for box in prose)
        assert all(heading.position_y < lowest for heading in headings)
        order = [b.element_tag for b in elements if isinstance(b, boxes.ReplacedBox) or b in blocks]
        pictures = [i for i, tag in enumerate(order) if tag == "img"]
        assert all("figcaption" in order[i + 1 : i + 2] for i in pictures)
        captioned += len(pictures)
    assert captioned == 9


def test_pages_are_numbered_and_headed_by_report_and_chapter(made) -> None:
    pages = reader(made("report")).pages
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page.extract_text()
    chapter = [page.extract_text() for page in pages if "Figure 2 " in page.extract_text()][-1]
    assert "Autoencoders and recurrent networks: three experiments" in chapter
    assert "Basic autoencoder" in chapter


def test_every_page_of_a_report_on_sample_data_says_so_at_its_head(made) -> None:
    for page in reader(made("troubled")).pages:
        assert "built on sample data" in page.extract_text().lower()


def test_contents_give_the_pages_on_which_chapters_begin(made) -> None:
    document = reader(made("report"))
    text = "\n".join(page.extract_text() for page in document.pages[:2])
    marks = [mark for mark in document.outline if not isinstance(mark, list)]
    chapters = [mark for mark in marks if mark.title[:1] in "123A"]
    assert len(chapters) == 4
    for mark in chapters:
        page = document.get_destination_page_number(mark) + 1
        title = mark.title.partition(" ")[2]
        line = next(line for line in text.splitlines() if re.search(rf"{title}.*\. +\. +\.", line))
        assert line.split(".")[-1].strip() == str(page)


def test_bookmarks_lead_to_chapters_and_their_parts(made) -> None:
    outline = reader(made("report")).outline
    titles = [mark.title for mark in outline if not isinstance(mark, list)]
    parts = [[mark.title for mark in marks] for marks in outline if isinstance(marks, list)]
    assert titles == [
        "Key results",
        "Contents",
        "1 Basic autoencoder",
        "2 Denoising autoencoder",
        "3 Sentiment of film reviews with an LSTM",
        "A Provenance",
    ]
    assert parts[0] == ["1.1 Objective", "1.2 Method", "1.3 Results", "1.4 Discussion"]


def test_the_file_tells_title_author_language_and_keywords_and_no_date(made) -> None:
    document = reader(made("report"))
    about = document.metadata
    assert about.title == "Autoencoders and recurrent networks: three experiments"
    assert about.author == "Ada Example"
    assert about["/Keywords"] == "autoencoder, denoising, lstm, preset standard"
    assert about.creation_date is None
    assert document.trailer["/Root"]["/Lang"] == "en"


def test_the_metadata_of_a_report_on_sample_data_say_so(made) -> None:
    about = reader(made("troubled")).metadata
    assert about.title.startswith("SAMPLE DATA")
    assert "sample data" in about.subject
    assert "built on sample data" in about["/Keywords"]


def test_all_fonts_are_embedded_and_the_text_is_tagged_for_those_who_listen(made) -> None:
    document = reader(made("report"))
    root = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    fonts = document.pages[0]["/Resources"]["/Font"].values()
    described = [f.get_object()["/DescendantFonts"][0].get_object() for f in fonts]
    assert len(described) >= 4
    for font in described:
        descriptor = font["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)


def test_another_process_makes_the_same_bytes(rendered, made, tmp_path: Path, example) -> None:
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1]); import example\n"
        "from reportgen.render import compose, figures, html, paper, pdf\n"
        "report = example.short()\n"
        "drawn = {(s.experiment, f.id): figures.svg(f)\n"
        "         for s in report.sections for f in s.figures.values()}\n"
        "view = compose.document(report, drawn)\n"
        "pathlib.Path('report.html').write_text(html.rendered(view), 'utf-8')\n"
        "content = paper.pdf(view, lambda several: [pdf.typeset(one) for one in several])\n"
        "pathlib.Path('report.pdf').write_bytes(content)\n"
    )
    command = [sys.executable, "-c", code, str(Path(example.__file__).parent)]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "report.html").read_text("utf-8") == rendered("short").html
    assert (tmp_path / "report.pdf").read_bytes() == made("short")


def links(document: PdfReader) -> list[Any]:
    """The annotations of all pages."""
    notes = [note for page in document.pages for note in page.get("/Annots", [])]
    return [note.get_object() for note in notes]


def test_every_link_leads_to_a_page_of_the_file_also_from_piece_to_piece(made) -> None:
    document = reader(made("report"))
    targets = {link["/Dest"] for link in links(document) if "/Dest" in link}
    places = document.named_destinations
    assert {"chapter-lstm", "chapter-autoencoder"} <= targets
    assert targets <= set(places)
    assert not [link for link in links(document) if "/A" in link]
    page = document.pages[document.get_destination_page_number(places["chapter-lstm"])]
    assert "Sentiment of film reviews" in page.extract_text()


def test_every_tag_of_the_bound_file_belongs_to_one_thing_on_one_page(made) -> None:
    document = reader(made("report"))
    root = document.trailer["/Root"]["/StructTreeRoot"]
    flat = root["/ParentTree"]["/Nums"]
    parents = dict(zip(flat[::2], flat[1::2], strict=True))
    assert list(parents) == sorted(set(parents))
    for page in document.pages:
        for element in parents[page["/StructParents"]]:
            assert element.get_object()["/Pg"].get_object() == page
    for link in links(document):
        below = parents[link["/StructParent"]].get_object()["/K"]
        kids = [kid.get_object() for kid in below]
        assert link in [kid["/Obj"] for kid in kids if isinstance(kid, dict) and "/Obj" in kid]


def test_ids_of_table_heads_are_unlike_each_other_and_known_to_their_cells(made) -> None:
    heads, named = [], set[str]()

    def look(element: Any) -> None:
        if "/ID" in element:
            heads.append(element["/ID"])
        named.update(element.get("/A", {}).get("/Headers", []))
        below = element.get("/K", [])
        for child in below if isinstance(below, list) else [below]:
            if isinstance(child.get_object(), dict):
                look(child.get_object())

    look(reader(made("report")).trailer["/Root"]["/StructTreeRoot"]["/K"][0])
    assert len(heads) > 20
    assert len(set(heads)) == len(heads)
    assert named <= set(heads)


def test_words_in_figures_are_text_in_the_pdf(made) -> None:
    pages = [page.extract_text() for page in reader(made("report")).pages]
    assert any("Figure 2 " in text and "validation" in text for text in pages)


def test_cuts_of_one_font_have_different_names(made) -> None:
    names: dict[str, set[Any]] = {}
    for page in reader(made("report")).pages:
        for font in page["/Resources"]["/Font"].values():
            names.setdefault(font.get_object()["/BaseFont"], set()).add(font.idnum)
    assert len(names) > 8
    assert {len(found) for found in names.values()} == {1}


def test_another_title_sets_only_the_first_pages_and_the_heads_again(rendered) -> None:
    done = rendered("report")
    kept: dict[Manuscript, bytes] = {}

    def set_again(manuscripts: Sequence[Manuscript]) -> list[bytes]:
        for new in [m for m in manuscripts if m not in kept]:
            kept[new] = pdf.typeset(new)
        return [kept[m] for m in manuscripts]

    paper.pdf(compose.document(done.report, done.figures), set_again)
    before = set(kept)
    identity = replace(done.report.identity, title="Quite another title")
    report = replace(done.report, identity=identity)
    content = paper.pdf(compose.document(report, done.figures), set_again)
    assert all("Quite another title" in new.html for new in kept.keys() - before)
    assert all("Quite another title" in p.extract_text() for p in reader(content).pages)


def test_without_pango_the_message_names_what_to_install_and_an_old_file_stays(
    example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoPango:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoPango(), *sys.meta_path])
    old = tmp_path / "report.pdf"
    old.write_bytes(b"old")
    report = example.short()
    *_, error = files.write_report(report, tmp_path, ["pdf"], figures.svg, typeset)
    assert isinstance(error, pdf.PangoMissing)
    assert isinstance(error, RenderError)
    assert "libpango-1.0-0 libpangoft2-1.0-0" in str(error)
    assert "dnf install" in str(error)
    assert "brew install" in str(error)
    assert old.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"report.pdf"}
