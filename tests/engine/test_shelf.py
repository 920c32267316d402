"""The shelf: what is kept, what is noticed, what goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reportgen.engine import shelf as shelving
from reportgen.engine.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "derived")


def never() -> str:
    raise AssertionError("made again")


def test_a_text_is_made_once_for_the_same_ingredients_in_any_order(shelf: Shelf) -> None:
    assert shelf.text({"a": 1, "b": [2.5]}, lambda: "a chapter\n\nµ") == "a chapter\n\nµ"
    assert shelf.text({"b": [2.5], "a": 1}, never) == "a chapter\n\nµ"


def test_another_ingredient_makes_another_text(shelf: Shelf) -> None:
    shelf.put({"a": 1}, b"one")
    assert shelf.text({"a": 2}, lambda: "two") == "two"
    assert shelf.get({"a": 1}) == b"one"


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"no checksum", None])
def test_a_damaged_text_is_made_again(shelf: Shelf, damage: bytes | None) -> None:
    shelf.put("it", b"whole")
    [path] = shelf.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert shelf.get("it") is None
    assert shelf.text("it", lambda: "whole again") == "whole again"
    assert shelf.get("it") == b"whole again"


def test_a_folder_that_cannot_be_written_costs_time_but_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf = Shelf(tmp_path / "file" / "derived")
    assert shelf.text("it", lambda: "made") == "made"
    assert shelf.get("it") is None


def test_what_was_used_longest_ago_goes_first(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelving, "MOST", 2)
    for name in ("old", "used", "new"):
        shelf.put(name, name.encode())
    for age, path in enumerate(sorted(shelf.folder.iterdir(), key=lambda p: p.read_text()[65:])):
        os.utime(path, ns=(age, age))  # new, old, used
    assert shelf.get("new") == b"new"
    shelf.prune()
    assert [shelf.get(name) for name in ("old", "used", "new")] == [None, b"used", b"new"]
