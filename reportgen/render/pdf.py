"""Sets HTML as PDF; the only importer of WeasyPrint."""

from __future__ import annotations

import atexit
import base64
import gc
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from reportgen.errors import RenderError
from reportgen.render.manuscript import OUTWARD, Manuscript

_PACKAGES = {
    "Debian or Ubuntu": "apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
    "Fedora": "dnf install pango",
    "macOS": "brew install pango",
}

_CUT = re.compile(rb"(?<=^/)[A-Z]{6}(?=\+)")
_FONT = re.compile("data:font/woff;base64,([A-Za-z0-9+/=]+)")


class PangoMissing(RenderError):
    """The libraries that lay out text for the PDF are not installed."""


def typeset(manuscript: Manuscript) -> bytes:
    """A manuscript as tagged PDF (PDF/UA-1); equal ones give equal bytes.

    Raises PangoMissing if Pango can't be loaded.
    """
    weasyprint = _weasyprint()
    mark = hashlib.sha256(manuscript.html.encode()).hexdigest()[:8]
    with _no_garbage_collected():
        style, fonts = _style(manuscript.css)
        content: bytes = weasyprint.HTML(string=manuscript.html).write_pdf(
            stylesheets=[style],
            font_config=fonts,
            pdf_variant="pdf/ua-1",
            finisher=lambda document, pdf: _ready_to_bind(pdf, mark),
        )
    return content


def pango_version() -> str:
    """The version of Pango that WeasyPrint found. Raises PangoMissing if it found none."""
    _weasyprint()
    from weasyprint.text.ffi import pango

    version = pango.pango_version()
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}"


def _ready_to_bind(pdf: Any, mark: str) -> None:
    """Make a file ready to be bound with others: its links lead to them, its names are its own.

    Table cells name their heads by ids, which WeasyPrint counts from one in each file. Fonts are
    cut down to the letters in the file, and other such cuts must have other names (ISO 32000-1,
    section 9.6.4).
    """
    import pydyf

    for thing in pdf.objects:
        if not isinstance(thing, pydyf.Dictionary):
            continue
        for name in thing.keys() & {"BaseFont", "FontName"}:
            thing[name] = _CUT.sub(lambda cut: _six_letters(mark, cut[0]), bytes(thing[name]))
        if "ID" in thing:
            thing["ID"].string = f"{mark}-{thing['ID'].string}"  # the cells hold the same object
        if thing.get("Subtype") == "/Link" and "A" in thing:
            target = thing["A"]["URI"].string
            if target.startswith(OUTWARD):
                del thing["A"]
                thing["Dest"] = thing["Contents"] = pydyf.String(target.removeprefix(OUTWARD))


def _six_letters(mark: str, letters: bytes) -> bytes:
    """Six capital letters that stand for other ones in the file of this mark."""
    digest = hashlib.sha256(mark.encode() + letters).digest()
    return bytes(ord("A") + byte % 26 for byte in digest[:6])


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """WeasyPrint makes millions of objects that live to its end: looking at them takes a tenth."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def _style(css: str) -> tuple[Any, Any]:
    """A style sheet, read once for all that is set with it, and its fonts."""
    weasyprint = _weasyprint()
    from weasyprint.text.fonts import FontConfiguration

    fonts = FontConfiguration()
    atexit.register(_style.cache_clear)  # so that they remove their files while they still can
    return weasyprint.CSS(string=_FONT.sub(_unpacked, css), font_config=fonts), fonts


def _unpacked(font: re.Match[str]) -> str:
    """A font unpacked, so that WeasyPrint need not do it, who would write the time into it."""
    from fontTools.ttLib import TTFont

    packed = TTFont(io.BytesIO(base64.b64decode(font[1])), recalcTimestamp=False)
    packed.flavor = None
    out = io.BytesIO()
    packed.save(out, reorderTables=None)
    return f"data:font/ttf;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def _weasyprint() -> Any:
    """The library, imported only here: it loads Pango as soon as it is imported."""
    try:
        import weasyprint
    except OSError as error:
        hints = "; ".join(f"{system}: {command}" for system, command in _PACKAGES.items())
        raise PangoMissing(
            f"The PDF was not made: Pango, which sets its text, can't be loaded ({error}). "
            f"Install it and render again. {hints}."
        ) from error
    return weasyprint
