"""The README tells the truth: every command in it runs, every settings file in it loads."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reportgen import cli, registry
from reportgen.claims import check_names, parse
from reportgen.settings import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    words = [shlex.split(line.removeprefix("$ ")) for line in lines]
    return [rest for first, *rest in words if first == program]


@pytest.mark.slow
def test_every_reportgen_command_in_the_readme_succeeds(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTGEN_DATA", "sample")
    monkeypatch.setenv("REPORTGEN_PRESET", "quick")
    elsewhere = {"--cluster", "thorough"}  # needs a scheduler, or a long time
    found = [words for words in commands("reportgen") if not elsewhere & set(words)]
    assert len(found) >= 10
    for words in found:
        ran = run(*words)
        assert ran.code == 0, (words, ran.err)
        if "render" in words:
            assert "Autoencoders and an LSTM" in Path("build/report.html").read_text()


def test_the_commands_for_a_cluster_have_the_options_that_the_readme_gives() -> None:
    pytest.importorskip("distributed")
    from distributed.cli import dask_scheduler, dask_worker

    known = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
    assert [words[0] for words in commands("dask")] == list(known)
    for name, *words in commands("dask"):
        options = {option for param in known[name].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= options
    (build,) = (words for words in commands("reportgen") if "--cluster" in words)
    assert "--cluster" in {
        option for p in cli.commands.commands["build"].params for option in p.opts
    }
    assert build[-1].startswith("tcp://")


def test_the_two_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("this system has no make")
    assert commands("make") == [["report"], ["test"]]
    for (target,) in commands("make"):
        done = subprocess.run(
            [make, "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert {"report": "reportgen build", "test": "-m pytest"}[target] in done.stdout


def test_every_settings_file_in_the_readme_loads() -> None:
    for text in blocks("toml"):
        if "entry-points" in text:
            assert registry.GROUP in text
            continue
        Path("reportgen.toml").write_text(text)
        settings = load(registry.installed())
        written = tomllib.loads(text)["report"]
        assert {name: getattr(settings.report, name) for name in written} == {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in written.items()
        }
        for claim in settings.report.claims:
            check_names(parse(claim), registry.installed())


def test_every_path_in_the_layout_exists() -> None:
    layout = next(block for block in blocks("text") if "reportgen/  " in block)
    folder = ROOT
    for line in layout.splitlines():
        names = [name.strip() for name in re.split(r"\s{2,}", line.strip())[0].split(",")]
        base = folder if line.startswith("  ") else ROOT
        for name in names:
            assert (base / name).exists(), name
        if not line.startswith("  "):
            folder = ROOT / names[0]


def test_the_picture_of_the_report_is_there() -> None:
    for picture in re.findall(r"!\[.+?\]\((.+?)\)", README):
        assert (ROOT / picture).exists()
