"""Figures: the same bytes every time, readable, and nothing written over the data."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Annotation

from reportgen.render import figures
from reportgen.results import Figure, HeatMap, Histogram, Images, LinePanel, Lines, Marker, Series


def lines(*panels: LinePanel, **more) -> Figure:
    return Figure("f", "", "", Lines("x", "y", panels, **more))


def drawn(figure: Figure):
    """The figure on matplotlib's canvas, arranged."""
    with figures.mpl.rc_context(figures.STYLE):
        canvas = figures._draw(figure.drawing)
        canvas.draw_without_rendering()
    return canvas


def test_figures_are_well_formed_fit_the_page_and_carry_no_date(rendered) -> None:
    for text in rendered("report").figures.values():
        root = ElementTree.fromstring(text)
        assert float(root.get("width").removesuffix("pt")) <= 165.5 / 25.4 * 72
        assert "metadata" not in text
        assert len(text) < 150_000


def test_a_figure_is_the_same_whatever_was_drawn_before(rendered, example) -> None:
    figure = example.denoising().figures["noise_sweep"]
    assert figures.svg(figure) == rendered("report").figures["denoising", "noise_sweep"]


def test_letters_are_outlines_so_that_no_font_is_needed(rendered) -> None:
    text = rendered("report").figures["denoising", "noise_sweep"]
    assert "<text" not in text
    assert "font" not in text


def test_labels_that_are_no_xml_and_no_formula_are_drawn_as_they_are(rendered) -> None:
    for text in rendered("hostile").figures.values():
        root = ElementTree.fromstring(text)
        assert not [node for node in root.iter() if "script" in node.tag]


def test_a_training_curve_has_the_colour_of_its_validation_curve() -> None:
    series = (
        Series("a, training", (1, 2), (2, 1), "dashed", "a"),
        Series("a, validation", (1, 2), (3, 1), "line", "a"),
        Series("b, training", (1, 2), (2, 2), "dashed", "b"),
    )
    (axes,) = drawn(lines(LinePanel(series))).axes
    first, second, third = axes.get_lines()
    assert first.get_color() == second.get_color() != third.get_color()
    assert first.get_linestyle() != second.get_linestyle()


def test_colours_differ_in_lightness_or_hue_for_those_who_see_no_red_or_green() -> None:
    """Machado et al. (2009): what is left of each colour for full deuteranopia and protanopia."""
    deutan = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    protan = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
    for kind in (deutan, protan):
        seen = [kind @ (np.array(to_rgb(colour)) ** 2.2) for colour in figures.PALETTE[:4]]
        distances = [np.abs(a - b).max() for a, b in itertools.combinations(seen, 2)]
        assert min(distances) > 0.05


def test_a_doubling_axis_has_its_ticks_at_the_data() -> None:
    panel = LinePanel((Series("a", (16, 32, 64, 128), (4, 3, 2, 1), "marked"),), x_scale="log2")
    (axes,) = drawn(lines(panel)).axes
    assert list(axes.get_xticks()) == [16, 32, 64, 128]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["16", "32", "64", "128"]


def test_a_band_lies_around_its_curve_in_its_colour() -> None:
    series = Series("recall", (0.0, 1.0), (0.5, 0.6), low=(0.4, 0.5), high=(0.6, 0.7))
    [axes] = drawn(lines(LinePanel((series,)))).axes
    [band] = axes.collections
    assert band.get_facecolor()[0][:3] == pytest.approx(to_rgb(axes.get_lines()[0].get_color()))
    ends = band.get_paths()[0].vertices[:, 1]
    assert (ends.min(), ends.max()) == (0.4, 0.7)


def test_the_legend_stands_clear_of_the_data(example) -> None:
    canvas = drawn(example.autoencoder().figures["loss_curves"])
    (legend,) = canvas.legends
    box = legend.get_window_extent()
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]
    assert not any(box.overlaps(axes.get_window_extent()) for axes in canvas.axes)


def test_a_single_series_has_no_legend() -> None:
    assert drawn(lines(LinePanel((Series("only", (1, 2), (1, 2)),)))).legends == []


def test_labels_of_marked_points_cover_neither_the_curve_nor_each_other(example) -> None:
    canvas = drawn(example.lstm().figures["precision_recall"])
    axes = canvas.axes[0]
    boxes = [label.get_window_extent() for label in axes.texts if isinstance(label, Annotation)]
    curve = axes.transData.transform(axes.get_lines()[0].get_xydata())
    assert len(boxes) == 3
    assert not any(box.count_contains(curve) for box in boxes)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_labels_of_rules_that_are_close_stand_on_rows_of_their_own() -> None:
    rules = tuple(Marker(x, 0, "a rather long label") for x in (0.48, 0.52))
    (axes,) = drawn(lines(LinePanel((Series("a", (0, 1), (0, 1)),), vertical=rules))).axes
    first, second = (label.get_window_extent() for label in axes.texts)
    assert not first.overlaps(second)


def test_a_pixel_becomes_a_block_and_pictures_stay_apart() -> None:
    pixels = np.zeros((1, 2, 2, 2), np.uint8)
    pixels[0, 0] = [[10, 20], [30, 40]]
    mosaic = figures._mosaic(pixels, scale=3)
    assert mosaic.shape == (4 * 3, 2 * 4 * 3, 3)
    assert (mosaic[3:6, 3:6] == 10).all()
    assert (mosaic[:, 9:15] == 255).all()


def test_pictures_are_labelled_by_row_and_column() -> None:
    drawing = Images(("one", "two"), ("a", "b", "c"), np.zeros((2, 3, 4, 4), np.uint8))
    (axes,) = drawn(Figure("f", "", "", drawing)).axes
    assert {label.get_text() for label in axes.texts} == {"one", "two", "a", "b", "c"}


@pytest.mark.parametrize("counts", [((95, 5), (40, 60)), ((0, 0), (1, 0))])
def test_a_matrix_shows_counts_and_shares_of_rows_in_contrast_to_their_ground(counts) -> None:
    drawing = HeatMap("Predicted", "Actual", ("no", "yes"), ("no", "yes"), counts)
    (axes,) = drawn(Figure("f", "", "", drawing)).axes
    texts = [label.get_text() for label in axes.texts]
    shares = [n / max(sum(row), 1) for row in counts for n in row]
    assert texts == [
        t for n, s in zip(sum(counts, ()), shares, strict=True) for t in (f"{n}", f"{s:.1%}")
    ]
    for label, share in zip(axes.texts, [s for s in shares for _ in range(2)], strict=True):
        assert _contrast(to_rgb(label.get_color()), figures.BLUES(share)[:3]) >= 4.5


def _contrast(one, other) -> float:
    """The contrast ratio of two colours (WCAG 2.2, 1.4.3)."""

    def luminance(colour) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_long_curves_are_thinned_to_what_can_be_seen() -> None:
    x = tuple(np.linspace(0, 1, 25_000))
    text = figures.svg(lines(LinePanel((Series("a", x, tuple(1 - v**9 for v in x)),))))
    assert len(re.findall(r"[LM]", text)) < 2000


def test_few_beside_many_are_seen_on_a_logarithmic_axis_of_counts() -> None:
    counts = (("few", (3, 0, 2)), ("many", (2, 40, 4000)))
    histogram = Histogram("x", "reviews", (0, 1, 2, 3), counts, y_scale="log")
    [axes] = drawn(Figure("f", "", "", histogram)).axes
    few, many = axes.transData.transform([(0.5, 3), (0.5, 4000)])[:, 1]
    bottom, top = axes.get_window_extent().y0, axes.get_window_extent().y1
    assert few - bottom > 0.1 * (top - bottom)
    assert many < top
    assert {"1", "10", "100", "1,000"} <= {tick.get_text() for tick in axes.get_yticklabels()}


def test_counts_start_from_zero_unless_they_are_asked_for_on_a_logarithmic_axis() -> None:
    histogram = Histogram("x", "reviews", (0, 1, 2), (("all", (3, 900)),))
    [axes] = drawn(Figure("f", "", "", histogram)).axes
    assert axes.get_ylim()[0] == 0
