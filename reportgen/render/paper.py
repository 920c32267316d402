"""Makes the PDF of a report: sets it in pieces, numbers their pages, and binds them."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import fields, replace

from reportgen.render import html
from reportgen.render.contexts import About, Chapter, Contents, Document, Entry, Piece, Sheets
from reportgen.render.lean import with_texts
from reportgen.render.manuscript import OUTWARD, Manuscript, Typeset

_PICTURE = re.compile(r"(data:image/svg\+xml;base64,)([A-Za-z0-9+/=]+)")

FRONT = 2
"""Pages before the first chapter or the claims, in most reports."""


def pdf(document: Document, typeset: Typeset) -> bytes:
    """The document as PDF. What stands in it does not depend on how it is cut into pieces.

    A piece is set without what is on its pages by their place in the report, so that it is the
    same in a report with another title or another chapter before it. That comes from the sheets:
    empty pages with heads and numbers. Cover and contents are set last: they name pages.
    """
    from reportgen.render.binding import bind, places

    body = body_of(document)
    pieces = typeset([manuscript(piece) for piece in body])
    counted = [places(piece) for piece in pieces]
    assumed, front = 0, FRONT
    while assumed != front:
        assumed = front
        heads = [""] * front
        for piece, (count, _) in zip(body, counted, strict=True):
            heads += ["", *[_name(piece)] * (count - 1)]  # a chapter's first page has its title
        first, sheets = typeset(
            [
                manuscript(_front_of(document, _pages_of(counted, front))),
                manuscript(_sheets_of(document, heads)),
            ]
        )
        front, _ = places(first)
    return bind(sheets, [first, *pieces])


def body_of(document: Document) -> list[Piece]:
    """The pieces after cover and contents, in reading order."""
    claims = [Piece((document.claims,))] if document.claims else []
    return [*claims, *(Piece((chapter,)) for chapter in document.chapters)]


def manuscript(view: Piece | Sheets) -> Manuscript:
    """A piece or the sheets, made for paper; links out of it begin with ``OUTWARD``."""
    content = _PICTURE.sub(_with_texts, str(html.rendered(view, on_paper=True)))
    own = set(re.findall(r'\bid="([^"]+)"', content))
    linked = re.sub(
        r'\bhref="#([^"]+)"',
        lambda link: link[0] if link[1] in own else f'href="{OUTWARD}{link[1]}"',
        content,
    )
    return Manuscript(
        linked, html.style("sheets.css" if isinstance(view, Sheets) else "report.css")
    )


def _with_texts(picture: re.Match[str]) -> str:
    """A picture whose outlined texts are texts again."""
    svg = with_texts(base64.b64decode(picture[2]).decode(), "Report Sans")
    return f"{picture[1]}{base64.b64encode(svg.encode()).decode('ascii')}"


def _name(piece: Piece) -> str:
    """What the heads of a piece's pages say."""
    [view] = piece.views
    return view.title if isinstance(view, Chapter) else ""


def _pages_of(counted: Sequence[tuple[int, dict[str, int]]], front: int) -> dict[str, int]:
    """The number of the page of each id in the pieces after ``front`` pages."""
    pages, begin = dict[str, int](), front + 1
    for count, names in counted:
        pages |= {name: begin + page for name, page in names.items()}
        begin += count
    return pages


def _front_of(document: Document, pages: dict[str, int]) -> Piece:
    """Cover and contents, which names the page of each chapter and part."""

    def numbered(entry: Entry) -> Entry:
        page = str(pages.get(entry.id, ""))
        return replace(entry, page=page, entries=tuple(map(numbered, entry.entries)))

    contents = document.contents
    return Piece((document.cover, Contents(contents.title, tuple(map(numbered, contents.entries)))))


def _sheets_of(document: Document, heads: Sequence[str]) -> Sheets:
    """The sheets for pages with these names of chapters in their heads."""
    about = {field.name: getattr(document, field.name) for field in fields(About)}
    return Sheets(**about, chapters=tuple(heads))
