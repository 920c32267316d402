"""Binds pieces of a PDF into one file; the only importer of pikepdf.

What is bound was set by WeasyPrint: each piece and the sheets are tagged files of their own. The
bound file has the sheets' metadata, and the pieces' pages, each with the head of its sheet. Tags,
bookmarks and the places that links lead to are put together (ISO 32000-1, sections 12.3 and 14.7).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from pikepdf import Array, Dictionary, Name, Object, ObjectStreamMode, Page, Pdf


def places(piece: bytes) -> tuple[int, dict[str, int]]:
    """How many pages a piece has, and on which of them, from 0, each of its ids stands."""
    with Pdf.open(io.BytesIO(piece)) as pdf:
        numbers = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}
        found = {str(name): numbers[place[0].objgen] for name, place in _destinations(pdf)}
        return len(pdf.pages), found


def bind(sheets: bytes, pieces: Sequence[bytes]) -> bytes:
    """One file of all pieces' pages; ``sheets`` has as many, with heads but empty.

    Equal pieces and sheets give equal bytes.
    """
    with ExitStack() as opened:
        pdf, *files = [opened.enter_context(Pdf.open(io.BytesIO(f))) for f in (sheets, *pieces)]
        heads = [page.as_form_xobject() for page in pdf.pages]
        tags, names = _Tags(pdf), list[tuple[Object, Object]]()
        for piece in files:
            first = len(pdf.pages)
            pdf.add_pages_from(piece)
            # Only now: copies of what refers to pages refer to those that were copied before.
            tags.add(piece, pdf.pages[first:])
            names += [(name, pdf.copy_foreign(place)) for name, place in _destinations(piece)]
        del pdf.pages[: len(heads)]
        for page, head in zip(pdf.pages, heads, strict=True):
            _lay_over(page, head)
        tags.finish()
        names.sort(key=lambda pair: bytes(pair[0]))
        leaf = Dictionary(Names=Array([part for pair in names for part in pair]))
        pdf.Root.Names = Dictionary(Dests=pdf.make_indirect(leaf))
        out = io.BytesIO()
        pdf.save(out, object_stream_mode=ObjectStreamMode.generate, deterministic_id=True)
        return out.getvalue()


def _destinations(pdf: Pdf) -> Iterator[tuple[Object, Object]]:
    """The named places of a file: each name with its place, whose first entry is the page."""
    if Name.Names not in pdf.Root:
        return
    flat = list(pdf.Root.Names.Dests.Names)
    for name, place in zip(flat[::2], flat[1::2], strict=True):
        yield name, place if place.is_indirect else pdf.make_indirect(place)  # so it can be copied


def _lay_over(page: Page, head: Object) -> None:
    """Draw a head on a page, as something that is no part of its text."""
    resources = dict(page.obj.Resources.items())  # the pages of a piece share theirs
    drawn = dict(resources.get("/XObject", Dictionary()).items())
    resources["/XObject"] = Dictionary({**drawn, "/Head": head})
    page.obj.Resources = Dictionary(resources)
    page.contents_add(b"q\n", prepend=True)
    page.contents_add(b"\nQ /Artifact BMC q /Head Do Q EMC")


# ---------------------------------------------------------------------------------------- tags


class _Tags:
    """The tags of the bound file: a tree of what is a heading, a table, a figure, and so on."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._root = pdf.Root.StructTreeRoot
        self._whole = self._root.K[0]
        self._parts: list[Object] = []
        self._parents: list[Object | int] = []
        self._used = 0

    def add(self, piece: Pdf, pages: Sequence[Page]) -> None:
        """Take over the tags of a piece, whose pages were copied."""
        root = self._pdf.copy_foreign(piece.Root.StructTreeRoot)
        for part in root.K[0].K:
            part.P = self._whole
            self._parts.append(part)
        flat = list(root.ParentTree.Nums)
        for number, parents in zip(flat[::2], flat[1::2], strict=True):
            self._parents += [int(number) + self._used, parents]
        for page in pages:
            page.obj.StructParents = int(page.obj.StructParents) + self._used
            for link in page.obj.get(Name.Annots, ()):
                link.StructParent = int(link.StructParent) + self._used
        self._used += len(flat) // 2

    def finish(self) -> None:
        """Write what was taken over into the file, in place of the tags of its empty sheets."""
        self._whole.K = Array(self._parts)
        self._root.ParentTree = self._pdf.make_indirect(Dictionary(Nums=Array(self._parents)))
        self._root.ParentTreeNextKey = self._used
