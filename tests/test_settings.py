"""Settings: layers, and one clear sentence for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from reportgen.errors import RequestError, SettingsError
from reportgen.registry import Registry
from reportgen.settings import Settings, load


def write(text: str) -> Path:
    path = Path("reportgen.toml")
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold(toys: Registry) -> None:
    settings = load(toys)
    assert settings.build.preset == "standard"
    assert settings.selected == ("toy", "other")
    assert settings.experiments["toy"].epochs == 3
    assert settings.changed == {}


def test_file_beats_preset_flags_beat_file_and_set_beats_flags(toys: Registry) -> None:
    write('[build]\npreset = "quick"\nseed = 1\n[toy]\nepochs = 7\nsizes = [4]\n')
    settings = load(toys)
    assert (settings.build.seed, settings.experiments["toy"].epochs) == (1, 7)
    assert settings.experiments["other"].epochs == 1
    settings = load(toys, flags={"build.seed": 2}, assignments=["toy.epochs=9"])
    assert (settings.build.seed, settings.experiments["toy"].epochs) == (2, 9)
    assert settings.changed == {"toy.epochs": 9, "toy.sizes": (4,)}
    assert load(toys, flags={"build.seed": 2}, assignments=["build.seed=3"]).build.seed == 3


def test_folders_in_the_file_are_taken_from_where_the_file_is(
    toys: Registry, tmp_path: Path
) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "mine.toml").write_text('[build]\nout = "results"\n')
    settings = load(toys, tmp_path / "lab" / "mine.toml")
    assert settings.out == tmp_path / "lab" / "results"


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("toy.epochs=5", 5),
        ("toy.rate=1e-3", 0.001),
        ("toy.rate=1", 1.0),
        ("toy.sizes=4, 5", (4, 5)),
        ("toy.sizes=[6]", (6,)),
        ("toy.centred=true", True),
    ],
)
def test_set_reads_each_type(toys: Registry, assignment: str, value: object) -> None:
    name = assignment.partition("=")[0].removeprefix("toy.")
    found = getattr(load(toys, assignments=[assignment]).experiments["toy"], name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "toy.epochs=many",
            "--set toy.epochs=many: expected a whole number at least 1 and at most",
        ),
        ("toy.epochs=2.5", "expected a whole number"),
        ("toy.epochs=0", "at least 1 and at most 100, got 0"),
        ("toy.rate=0", "expected a number above 0 and at most 1, got 0"),
        ("toy.rate=nan", "expected a number"),
        (
            "toy.rule=plane",
            "out of plain, crash, die, diverge, sleep, got 'plane'. Did you mean 'plain'?",
        ),
        ("toy.centred=maybe", "expected true or false, got 'maybe'"),
        ("toy.sizes=2,x", "expected a list of whole numbers at least 1"),
        ("toy.sizes=2,0", "got 0"),
        ("toy.epoch=3", "no setting 'toy.epoch'. Did you mean 'epochs'?"),
        ("tyo.epochs=3", "no table or experiment 'tyo'. Did you mean 'toy'?"),
        ("epochs=3", "expected TABLE.NAME=VALUE"),
        ("toy.epochs", "expected TABLE.NAME=VALUE"),
    ],
)
def test_a_wrong_set_is_told_in_one_sentence(toys: Registry, assignment: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(toys, assignments=[assignment])
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[toy]\nepochs = \n", "is not valid TOML: Invalid value (at line 2, column 10)"),
        (
            "[toy]\n\nepocs = 3\n",
            "reportgen.toml, line 3: there is no setting 'toy.epocs'. Did you",
        ),
        ("# mine\n[tyo]\nepochs = 3\n", "reportgen.toml, line 2: there is no table or experiment"),
        ("[toy]\nepochs = 'x'\n", "reportgen.toml, line 2: toy.epochs: expected a whole number"),
        ("[toy]\nepochs = true\n", "line 2: toy.epochs: expected a whole number"),
        ("seed = 3\n", "line 1: 'seed' stands outside a table; put it under one, such as [build]"),
        ("toy.sizes = [1, 0]\n", "reportgen.toml, line 1: toy.sizes: expected a list"),
        ("[build]\nformat = ['docx']\n", "out of html, pdf, got 'docx'"),
        ("[build]\nseed = -1\n", "expected a whole number at least 0"),
        ("[report]\ntitle = 7\n", "line 2: report.title: expected a text, got 7"),
    ],
)
def test_a_wrong_file_is_told_with_line_and_key(toys: Registry, text: str, message: str) -> None:
    write(text)
    with pytest.raises(SettingsError) as caught:
        load(toys)
    assert message in str(caught.value)


def test_a_file_that_was_named_must_be_there(toys: Registry) -> None:
    with pytest.raises(SettingsError, match=r"There is no settings file other\.toml"):
        load(toys, Path("other.toml"))


def test_a_file_that_is_not_text_is_told(toys: Registry) -> None:
    Path("reportgen.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="can't be read as text"):
        load(toys)


def test_an_unknown_experiment_is_told_with_the_nearest_name(toys: Registry) -> None:
    with pytest.raises(RequestError, match="no experiment 'othr'"):
        load(toys, flags={"build.only": ("othr",)})


def test_only_selects_and_keeps_what_the_selected_reads(toys: Registry) -> None:
    settings: Settings = load(toys, flags={"build.only": ("other",)})
    assert settings.selected == ("other",)
    assert set(settings.experiments) == {"toy", "other"}
