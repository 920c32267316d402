"""Renders the report's HTML as PDF; the only importer of WeasyPrint."""

from __future__ import annotations

import base64
import io
import os
import re
from pathlib import Path
from typing import Any

from reportgen.errors import RenderError

_PACKAGES = {
    "Debian or Ubuntu": "apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
    "Fedora": "dnf install pango",
    "macOS": "brew install pango",
}


_FONT = re.compile("data:font/woff;base64,([A-Za-z0-9+/=]+)")


class PangoMissing(RenderError):
    """The libraries that lay out text for the PDF are not installed."""


def write(html: str, path: Path) -> None:
    """Write the document as a tagged PDF (PDF/UA-1); equal documents give equal bytes.

    The file appears under its name when it is whole. Raises PangoMissing if Pango can't be loaded.
    """
    weasyprint = _weasyprint()
    document = weasyprint.HTML(string=_FONT.sub(_unpacked, html))
    content = document.write_pdf(pdf_variant="pdf/ua-1")
    temporary = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_bytes(content)
    os.replace(temporary, path)


def pango_version() -> str:
    """The version of Pango that WeasyPrint found. Raises PangoMissing if it found none."""
    _weasyprint()
    from weasyprint.text.ffi import pango

    version = pango.pango_version()
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}"


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
