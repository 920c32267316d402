"""Makes matplotlib's SVG lean: letters as one outline a text, no ids, comments or idle digits.

An outlined text tells what it says and where, so that a PDF, which has the font, can set it anew.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_STEP = re.compile(r"([MLQCz])([^MLQCz]*)")
_SCALING = re.compile(r"scale\(([\d.]+) -[\d.]+\)$")
_OUTLINED = re.compile(
    r'<path d="[^"]*" transform="scale\(\.01\)" data-text="([^"]*)" data-size="([^"]*)" '
    r'data-weight="([^"]*)" data-place="([^"]*)" />'
)
_WEIGHTS = {"#Inter-Regular": "400", "#Inter-SemiBold": "600"}
"""The weights of the report's own font by the beginnings of the ids that its letters get."""
_FUNCTION = re.compile(r"(\w+)\(([^)]*)\)")

Matrix = NDArray[np.float64]
"""An affine transformation, of shape (3, 3), for columns (x, y, 1)."""


def lean(text: str) -> str:
    """The same picture in fewer nodes and characters."""
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    builder = ElementTree.TreeBuilder(insert_comments=True)
    root = ElementTree.fromstring(text, ElementTree.XMLParser(target=builder))
    for metadata in root.findall(f"{_SVG}metadata"):
        root.remove(metadata)
    _outline_texts(root)
    _drop_ids(root)
    for node in root.iter():
        node.text = node.text.strip() if node.text and node.text.strip() else None
        node.tail = "\n"
        for name in ("d", "transform"):
            if name in node.attrib:
                node.set(name, _rounded(" ".join(node.attrib[name].split())))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, "unicode")


def with_texts(svg: str, family: str) -> str:
    """The same picture, its outlined texts set in the font ``family``, which looks the same.

    To draw an outline takes a PDF ten times as long, and nobody can search it.
    """

    def text(outline: re.Match[str]) -> str:
        words, size, weight, place = outline.groups()
        font = f'font-family="{family}" font-size="{size}" font-weight="{weight}"'
        return f'<text transform="{place}" {font}>{words}</text>'

    return _OUTLINED.sub(text, svg)


def _outline_texts(root: ElementTree.Element) -> None:
    """Replace each group of letters, which refer to shared outlines, by one path."""
    words = _words(root)
    outlines = {
        f"#{path.get('id')}": path
        for path in root.iter(f"{_SVG}path")
        if path.get("id") and "scale" in path.get("transform", "")
    }
    for group in list(root.iter(f"{_SVG}g")):
        letters = [use for use in group.findall(f"{_SVG}use") if use.get(_LINK) in outlines]
        if not letters:
            continue
        transform = group.attrib.pop("transform", "")
        whole = _matrix(transform)
        steps: list[str] = []
        for use in letters:
            outline = outlines[str(use.get(_LINK))]
            place = (
                whole @ _matrix(use.get("transform", "")) @ _matrix(outline.get("transform", ""))
            )
            steps += _moved(outline.get("d", ""), place)
        for child in list(group):
            if child.tag in (f"{_SVG}use", f"{_SVG}defs"):
                group.remove(child)
        path = {"d": "".join(steps), "transform": "scale(.01)"}
        fonts = {str(use.get(_LINK)).rpartition("-")[0] for use in letters}
        weight = _WEIGHTS.get(fonts.pop()) if len(fonts) == 1 else None
        scaling = _SCALING.search(transform)
        said = words.get(group, "")
        if weight and scaling and len(said) == len(letters):
            size = _rounded(f"{100 * float(scaling[1]):f}")
            path |= {"data-text": said, "data-size": size, "data-weight": weight}
            path["data-place"] = _rounded(transform[: scaling.start()].strip())
        ElementTree.SubElement(group, f"{_SVG}path", path)


def _words(root: ElementTree.Element) -> dict[ElementTree.Element, str]:
    """What each group of letters says, by the comments before them, which are removed."""
    words = {}
    for parent in list(root.iter()):
        for comment, group in pairwise([*parent, None]):
            if comment is None or comment.tag is not ElementTree.Comment:
                continue
            if group is not None:
                words[group] = html.unescape((comment.text or "")[1:-1])
            parent.remove(comment)
    return words


def _matrix(transform: str) -> Matrix:
    """The matrix of an SVG ``transform`` made of translations, rotations and scalings."""
    result = np.eye(3)
    for name, arguments in _FUNCTION.findall(transform):
        values = [float(value) for value in re.split(r"[ ,]+", arguments.strip())]
        step = np.eye(3)
        if name == "translate":
            step[:2, 2] = (*values, 0.0)[:2]
        elif name == "scale":
            step[0, 0], step[1, 1] = values[0], values[-1]
        elif name == "rotate":
            angle = np.deg2rad(values[0])
            step[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        else:
            raise ValueError(f"unexpected transformation {name!r}")
        result = result @ step
    return result


def _moved(outline: str, place: Matrix) -> Iterator[str]:
    """An outline's steps with its points at their place on the page, in hundredths of a point.

    All but the first point of a contour are relative to the one before, which is shorter.
    """
    here = np.zeros(2, np.int64)
    for letter, numbers in _STEP.findall(outline):
        points = np.array([float(number) for number in numbers.split()]).reshape(-1, 2)
        moved = np.rint(100 * (points @ place[:2, :2].T + place[:2, 2])).astype(np.int64)
        start = 0 if letter == "M" else here
        here = moved[-1] if len(moved) else here
        step = " ".join(str(number) for number in (moved - start).ravel())
        yield (letter if letter == "M" else letter.lower()) + step.replace(" -", "-")


def _drop_ids(root: ElementTree.Element) -> None:
    """Remove the ids that nothing refers to."""
    text = ElementTree.tostring(root, "unicode")
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    for node in root.iter():
        if node.get("id") not in used:
            node.attrib.pop("id", None)


def _rounded(text: str) -> str:
    """The text with its numbers to a hundredth of a point."""
    return _NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), text)
