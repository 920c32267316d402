"""Makes matplotlib's SVG lean: letters as one outline a text, no ids, comments or idle digits.

A PDF is made of what stands here, node by node; with a letter a node that takes twice as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_STEP = re.compile(r"([MLQCz])([^MLQCz]*)")
_FUNCTION = re.compile(r"(\w+)\(([^)]*)\)")

Matrix = NDArray[np.float64]
"""An affine transformation, of shape (3, 3), for columns (x, y, 1)."""


def lean(text: str) -> str:
    """The same picture in fewer nodes and characters."""
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(text)
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


def _outline_texts(root: ElementTree.Element) -> None:
    """Replace each group of letters, which refer to shared outlines, by one path."""
    outlines = {
        f"#{path.get('id')}": path
        for path in root.iter(f"{_SVG}path")
        if path.get("id") and "scale" in path.get("transform", "")
    }
    for group in list(root.iter(f"{_SVG}g")):
        letters = [use for use in group.findall(f"{_SVG}use") if use.get(_LINK) in outlines]
        if not letters:
            continue
        whole = _matrix(group.attrib.pop("transform", ""))
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
        ElementTree.SubElement(
            group, f"{_SVG}path", {"d": "".join(steps), "transform": "scale(.01)"}
        )


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
