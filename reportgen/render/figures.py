"""Draws figures as SVG, all in one style; the only module that imports matplotlib.

Every figure is drawn for the report's text column, 132 mm, or for the full width of the page,
165 mm, with letters that stay readable when a phone shows it at 95 mm. Letters are outlines, so
that a figure looks the same wherever it is opened.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from reportgen.render.lean import lean
from reportgen.render.text import MINUS, clean
from reportgen.results import (
    Drawing,
    Figure,
    HeatMap,
    Histogram,
    Images,
    LinePanel,
    Lines,
    Marker,
    Series,
)

COLUMN = 132.0
"""Width of the report's text column, in millimetres."""
PAGE = 165.0
"""Width between the margins of an A4 page, in millimetres."""

INK, SOFT, GRID = "#1b1f24", "#59626d", "#e4e7eb"
PALETTE = ("#0067a5", "#c8500a", "#00866a", "#a5508b", "#8a6a00", "#3b9bd1", "#5b5f66")
"""Okabe and Ito's colours (2008), told apart by colour-blind readers, darkened for thin lines."""
BLUES = LinearSegmentedColormap.from_list("shares", ["#f4f8fc", "#9cc3e2", "#0b4f85"])

STYLE: Any = {
    "font.family": ["Reportgen Sans", "DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": "#9aa3ad",
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "lines.solid_capstyle": "round",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.7,
    "legend.columnspacing": 1.5,
    "legend.borderaxespad": 0.0,
    "legend.borderpad": 0.0,
    "legend.labelspacing": 0.35,
    "xtick.color": "#9aa3ad",
    "ytick.color": "#9aa3ad",
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.dpi": 72,
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
    "svg.fonttype": "path",
    "svg.hashsalt": "reportgen",
    "image.interpolation": "none",
}


def svg(figure: Figure) -> str:
    """The figure as the text of an SVG file; equal figures give equal text."""
    _load_fonts()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A letter that no font here has is drawn as a box; no reason to bother the user.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        canvas = _draw(figure.drawing)
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return lean(out.getvalue())


def _draw(drawing: Drawing) -> Canvas:
    if isinstance(drawing, Lines):
        return _lines(drawing)
    if isinstance(drawing, Images):
        return _images(drawing)
    if isinstance(drawing, HeatMap):
        return _heat_map(drawing)
    return _histogram(drawing)


def _load_fonts() -> None:
    """Make the report's sans serif known to matplotlib, for this process only."""
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    if "Reportgen Sans" in known:
        return
    for name in ("inter-400.ttf", "inter-600.ttf"):
        with as_file(files("reportgen") / "templates" / "fonts" / name) as path:
            font_manager.fontManager.addfont(path)


def _canvas(width: float, height: float) -> Canvas:
    """An empty figure of so many millimetres, which arranges its axes without overlaps."""
    canvas = Canvas(figsize=(width / 25.4, height / 25.4), layout="constrained")
    engine: Any = canvas.get_layout_engine()
    engine.set(w_pad=0.03, h_pad=0.03, wspace=0.04, hspace=0.05)
    return canvas


# --------------------------------------------------------------------------------------- lines


def _lines(drawing: Lines) -> Canvas:
    panels = drawing.panels
    columns = _columns(len(panels))
    rows = math.ceil(len(panels) / columns)
    width = PAGE if columns == 3 else COLUMN
    height = 62.0 if rows == columns == 1 else 16 + rows * (47 if columns == 2 else 45)
    if any(panel.markers for panel in panels):
        height += 10  # so that their labels find room beside the curves
    if len(panels) == 1:
        height += 3 * max(0, len(panels[0].series) - 2)  # for the lines of the legend
    canvas = _canvas(width, height)
    grid = canvas.subplots(
        rows, columns, sharex=_same_x(panels), sharey=drawing.share_y, squeeze=False
    )
    alone = all(len(panel.series) == 1 for panel in panels)
    colours = _colours([series for panel in panels for series in panel.series])
    if alone:
        colours = dict.fromkeys(colours, PALETTE[0])
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_axis_off()
            continue
        _panel(axes, panels[place], colours)
        below = place + columns >= len(panels)
        if below:
            axes.set_xlabel(clean(drawing.x_label))
            axes.tick_params(labelbottom=True)
        label = panels[place].y_label or drawing.y_label
        if place % columns == 0 or not drawing.share_y or panels[place].y_label:
            axes.set_ylabel(clean(label))
    if not alone:
        _legend(canvas, list(grid.flat), panels)
    if any(panel.markers for panel in panels):
        canvas.draw_without_rendering()
        for axes, panel in zip(grid.flat, panels, strict=False):
            _label_markers(axes, panel.markers)
    return canvas


def _columns(panels: int) -> int:
    """How many panels stand beside each other: two as soon as that leaves no gap, else three."""
    return {1: 1, 2: 2, 4: 2}.get(panels, 3)


def _same_x(panels: Sequence[LinePanel]) -> bool:
    return len({(panel.x_scale, panel.x_range) for panel in panels}) == 1


def _colours(series: Sequence[Series]) -> dict[str, str]:
    """A colour for each group or single series; a dashed line of no group is a grey reference."""
    grey = {entry.label: SOFT for entry in series if entry.style == "dashed" and not entry.group}
    keys = dict.fromkeys(entry.group or entry.label for entry in series)
    coloured = [key for key in keys if key not in grey]
    return {key: PALETTE[i % len(PALETTE)] for i, key in enumerate(coloured)} | grey


def _looks(series: Series, colour: str) -> dict[str, Any]:
    """What matplotlib is told for a series' style."""
    looks: dict[str, Any] = {"color": colour}
    if series.style == "dashed":
        looks |= {"linestyle": (0, (3.2, 1.8)), "linewidth": 1.1, "alpha": 0.75}
    elif series.style == "dots":
        looks |= {"linestyle": "none", "marker": "o"}
    elif series.style == "marked":
        looks |= {"marker": "o", "markeredgecolor": "white", "markeredgewidth": 0.8}
    elif series.style == "step":
        looks |= {"drawstyle": "steps-post"}
    return looks


def _panel(axes: Axes, panel: LinePanel, colours: Mapping[str, str]) -> None:
    for series in panel.series:
        colour = colours[series.group or series.label]
        axes.plot(series.x, series.y, label=clean(series.label), **_looks(series, colour))
        if series.low:
            axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.18, lw=0)
    axes.set_title(clean(panel.title))
    _scale(axes, panel)
    _rules(axes, panel.vertical)
    for marker in panel.markers:
        axes.plot(
            [marker.x],
            [marker.y],
            "o",
            color="white",
            markeredgecolor=INK,
            markeredgewidth=1.3,
            markersize=5.5,
            zorder=5,
        )


def _scale(axes: Axes, panel: LinePanel) -> None:
    """Scales, ranges and ticks; a range must leave room for what is drawn at its edge."""
    values = sorted({x for series in panel.series for x in series.x})
    if panel.x_scale == "log2":
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    elif panel.x_scale == "log":
        axes.set_xscale("log")
    elif all(float(x).is_integer() for x in values):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
    if panel.y_scale != "linear":
        axes.set_yscale("log", base=2 if panel.y_scale == "log2" else 10)
        axes.yaxis.set_minor_formatter(_plain_log)
        axes.yaxis.set_major_formatter(_plain_log)
        axes.tick_params(axis="y", which="minor", size=0)
    axes.margins(x=0.03, y=0.08)
    if panel.x_range:
        axes.set_xlim(*_padded(panel.x_range, panel.x_scale))
    if panel.y_range:
        axes.set_ylim(*_padded(panel.y_range, panel.y_scale))


def _padded(limits: tuple[float, float], scale: str) -> tuple[float, float]:
    """The range and a little more, so that a line at its end is not cut in half."""
    low, high = limits
    if scale != "linear":
        return low / 1.03, high * 1.03
    pad = (high - low) * 0.015
    return low - pad, high + pad


@FuncFormatter
def _plain_log(value: float, _: object) -> str:
    """Ticks of a logarithmic axis in plain figures, at 1, 2 and 5 times a power of ten."""
    leading = f"{value:e}"[0]
    return f"{value:g}".replace("-", MINUS) if leading in "125" else ""


def _rules(axes: Axes, rules: Sequence[Marker]) -> None:
    """Vertical rules, each labelled above the axes, on a second row where two are too close."""
    low, high = axes.get_xlim()
    last, row = -math.inf, 0
    for rule in sorted(rules, key=lambda rule: rule.x):
        axes.axvline(rule.x, color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        place = (rule.x - low) / (high - low)
        row = (row + 1) % 2 if place - last < 0.022 * len(rule.label) else 0
        last = place
        axes.annotate(
            clean(rule.label),
            (rule.x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3 + 10 * row),
            textcoords="offset points",
            ha="left" if place < 0.08 else "right" if place > 0.92 else "center",
            va="bottom",
            fontsize=8,
            color=SOFT,
        )
    if rules and axes.get_title(loc="left"):
        axes.set_title(axes.get_title(loc="left"), pad=18)


def _legend(canvas: Canvas, grid: Sequence[Axes], panels: Sequence[LinePanel]) -> None:
    """One legend above all panels, each label once: it covers nothing and reads before the data."""
    found: dict[str, Line2D] = {}
    for axes, panel in zip(grid, panels, strict=False):
        for line in axes.get_lines()[: len(panel.series)]:
            found.setdefault(str(line.get_label()), line)
    canvas.legend(handles=list(found.values()), loc="outside upper left", ncols=_fitting([*found]))


def _fitting(labels: Sequence[str]) -> int:
    """How many legend entries fit beside each other in the text column."""
    widest = max(map(len, labels))
    return max(1, min(len(labels), int(92 / (widest + 6))))


def _label_markers(axes: Axes, markers: Sequence[Marker]) -> None:
    """Write each marker's label beside it where it covers no curve, marker or other label."""
    canvas = axes.get_figure()
    assert isinstance(canvas, Canvas)
    spots = [_spot(axes, marker) for marker in markers]
    labels: list[Bbox] = []
    curves = np.concatenate([_drawn_points(line) for line in axes.get_lines()] or [_EMPTY])
    for place, marker in enumerate(markers):
        taken = [*labels, *spots[:place], *spots[place + 1 :]]
        label = axes.annotate(
            clean(marker.label),
            (marker.x, marker.y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8,
            fontweight="bold",
        )
        best: tuple[float, tuple[float, float], str, str] | None = None
        for offset, ha, va in _PLACES:
            label.set(ha=ha, va=va, position=offset)
            box = label.get_window_extent().padded(1.5)
            cost = _cost(box, axes.get_window_extent(), curves, taken)
            if best is None or cost < best[0]:
                best = (cost, offset, ha, va)
        assert best is not None
        label.set(position=best[1], ha=best[2], va=best[3])
        labels.append(label.get_window_extent())


_EMPTY = np.empty((0, 2))
_PLACES: Sequence[tuple[tuple[float, float], str, str]] = (
    ((6, 6), "left", "bottom"),
    ((-6, -6), "right", "top"),
    ((6, -6), "left", "top"),
    ((-6, 6), "right", "bottom"),
    ((8, 0), "left", "center"),
    ((-8, 0), "right", "center"),
    ((0, 9), "center", "bottom"),
    ((0, -9), "center", "top"),
    ((14, 16), "left", "bottom"),
    ((-14, -16), "right", "top"),
)


def _spot(axes: Axes, marker: Marker) -> Bbox:
    x, y = axes.transData.transform((marker.x, marker.y))
    return Bbox.from_extents(x - 6, y - 6, x + 6, y + 6)


def _drawn_points(line: Line2D) -> NDArray[np.float64]:
    """Points along a line, in points on the page, close enough to see what a box would cover."""
    drawn = line.get_transform().transform(np.asarray(line.get_xydata(), np.float64))
    corners = np.asarray(drawn, np.float64)
    corners = corners[np.isfinite(corners).all(axis=1)]
    if len(corners) < 2 or line.get_linestyle() == "None":
        return corners
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    steps = np.arange(0, along[-1], 2.0)
    return np.column_stack([np.interp(steps, along, corners[:, axis]) for axis in (0, 1)])


def _cost(box: Bbox, frame: Bbox, curves: NDArray[np.float64], taken: Sequence[Bbox]) -> float:
    """How much a label at ``box`` would cover: points of curves, other labels, the frame."""
    inside = (
        (curves[:, 0] > box.x0)
        & (curves[:, 0] < box.x1)
        & (curves[:, 1] > box.y0)
        & (curves[:, 1] < box.y1)
    )
    outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
    covered = int(np.count_nonzero(inside))
    return float(covered + 50 * box.count_overlaps(taken) + 100 * outside)


# -------------------------------------------------------------------------------------- images


def _images(drawing: Images) -> Canvas:
    rows, columns = drawing.pixels.shape[:2]
    labels = 27.0 if any(drawing.row_labels) else 0.0
    head = 5.5 if any(drawing.column_labels) else 0.0
    tile = min(16.0, (COLUMN - labels) / columns)
    width, height = labels + tile * columns, head + tile * rows
    canvas = Canvas(figsize=(width / 25.4, height / 25.4))
    axes = canvas.add_axes((labels / width, 0, 1 - labels / width, 1 - head / height))
    mosaic = _mosaic(drawing.pixels)
    axes.imshow(mosaic, extent=(0, columns, rows, 0), aspect="auto")
    axes.set_axis_off()
    for row, label in enumerate(drawing.row_labels):
        axes.annotate(
            _wrapped(label, 17),
            (0, row + 0.5),
            xytext=(-labels / 25.4 * 72, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=8,
            linespacing=1.15,
            annotation_clip=False,
        )
    for column, label in enumerate(drawing.column_labels):
        axes.annotate(
            clean(label),
            (column + 0.5, 0),
            xytext=(0, 3.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            color=SOFT,
            annotation_clip=False,
        )
    return canvas


def _mosaic(pixels: NDArray[np.uint8], scale: int = 4) -> NDArray[np.uint8]:
    """All tiles in one picture with white gaps, each pixel a block, so that it stays crisp.

    Returns uint8 of shape (height, width, 3): greys, as matplotlib draws them without a colour map.
    """
    rows, columns, height, width = pixels.shape
    padded = np.full((rows, columns, height + 2, width + 2), 255, np.uint8)
    padded[:, :, 1:-1, 1:-1] = pixels
    flat = padded.transpose(0, 2, 1, 3).reshape(rows * (height + 2), columns * (width + 2))
    blocks = flat.repeat(scale, axis=0).repeat(scale, axis=1)
    return np.repeat(blocks[:, :, None], 3, axis=2)


def _wrapped(label: str, width: int) -> str:
    """The label in lines of at most ``width`` characters, broken between words."""
    lines = [""]
    for word in clean(label).split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


# ------------------------------------------------------------------------------------ heat map


def _heat_map(drawing: HeatMap) -> Canvas:
    counts = np.asarray(drawing.counts, np.float64)
    rows, columns = counts.shape
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    width = min(COLUMN, 30 + columns * max(12.0, min(34.0, 100 / columns)))
    canvas = _canvas(width, 17 + rows * max(9.0, min(22.0, 90 / rows)))
    axes = canvas.subplots()
    axes.pcolormesh(shares, cmap=BLUES, vmin=0, vmax=1, edgecolors="white", linewidth=2)
    axes.invert_yaxis()
    axes.set_xticks(np.arange(columns) + 0.5, [clean(label) for label in drawing.column_labels])
    axes.set_yticks(np.arange(rows) + 0.5, [_wrapped(label, 14) for label in drawing.row_labels])
    axes.set_xlabel(clean(drawing.x_label), labelpad=7)
    axes.set_ylabel(clean(drawing.y_label), labelpad=7)
    axes.xaxis.set_label_position("top")
    axes.tick_params(top=False, bottom=False, labeltop=True, labelbottom=False, labelcolor=INK)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    small = columns > 5
    for row, column in np.ndindex(rows, columns):
        colour = _readable_on(BLUES(float(shares[row, column])))
        middle = (column + 0.5, row + 0.5)
        axes.annotate(
            f"{drawing.counts[row][column]:,}",
            middle,
            xytext=(0, 1),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=colour,
            fontweight="bold",
            fontsize=8 if small else 11,
        )
        axes.annotate(
            f"{shares[row, column]:.1%}",
            middle,
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            color=colour,
            fontsize=7 if small else 8.5,
        )
    return canvas


def _readable_on(ground: Sequence[float]) -> str:
    """Black or white, whichever stands out more (WCAG 2.2, relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in ground[:3]]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


# ----------------------------------------------------------------------------------- histogram


def _histogram(drawing: Histogram) -> Canvas:
    canvas = _canvas(COLUMN, 66)
    axes = canvas.subplots()
    for place, (name, counts) in enumerate(drawing.groups):
        colour = PALETTE[place % len(PALETTE)]
        axes.stairs(
            counts,
            drawing.edges,
            fill=True,
            color=(*mpl.colors.to_rgb(colour), 0.22),
            zorder=2,
        )
        axes.stairs(
            counts,
            drawing.edges,
            baseline=None,
            color=colour,
            linewidth=1.5,
            linestyle="-" if place == 0 else (0, (4, 1.2)) if place == 1 else (0, (1, 1)),
            label=clean(name),
            zorder=3,
        )
    axes.set_xlabel(clean(drawing.x_label))
    axes.set_ylabel(clean(drawing.y_label))
    axes.set_xlim(*_padded((drawing.edges[0], drawing.edges[-1]), "linear"))
    _scale_counts(axes, drawing.y_scale)
    axes.grid(visible=False, axis="x")
    _rules(axes, drawing.vertical)
    if len(drawing.groups) > 1:
        names = [name for name, _ in drawing.groups]
        canvas.legend(loc="outside upper left", ncols=_fitting(names))
    return canvas


def _scale_counts(axes: Axes, scale: str) -> None:
    """The axis of counts, from 0 or, where it is logarithmic, from a little below 1."""
    if scale == "log":
        axes.set_yscale("log", nonpositive="clip")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", which="minor", size=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_ylim(bottom=0.7 if scale == "log" else 0)
