"""The command line as its users meet it, on the toy experiments."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from reportgen import cli
from reportgen.registry import Registry

Run = Callable[..., Any]
BUILD = ("build", "--format", "html")
pytestmark = pytest.mark.usefixtures("toys")


def results(out: str = "build") -> dict:
    return json.loads(Path(out, "results.json").read_text())


def test_a_build_writes_report_results_figures_tables_and_store(run: Run) -> None:
    ran = run("build", "--title", "Means & more", "--author", "A. Student")
    assert ran.code == 0, ran.err
    assert Path("build/report.pdf").read_bytes().startswith(b"%PDF-")
    html = Path("build/report.html").read_text()
    assert "Means &amp; more" in html
    assert "A. Student" in html
    assert "sample" in html
    table = results()["experiments"]["toy"]["tables"]["errors"]
    assert [column["name"] for column in table["columns"]] == ["size", "error"]
    with open("build/tables/toy-errors.csv", newline="") as file:
        assert [row["size"] for row in csv.DictReader(file)] == ["2", "3"]
    assert Path("build/figures/toy-losses.svg").exists()
    assert len(list(Path("build/store").glob("*/SHA256SUMS"))) == 3
    assert "build/report.pdf" in ran.out
    assert "sample data" in ran.out


def test_a_second_build_trains_nothing_and_gives_the_same_bytes(run: Run) -> None:
    names = ("results.json", "report.html", "report.pdf", "figures/toy-losses.svg")
    run("build", "--date", "today")
    first = {name: Path("build", name).read_bytes() for name in names}
    ran = run("build", "--date", "today")
    assert "Nothing to train: 3 trained models are kept." in ran.err
    assert {name: Path("build", name).read_bytes() for name in names} == first


def test_only_builds_a_part_and_says_so(run: Run) -> None:
    run(*BUILD)
    ran = run(*BUILD, "--only", "other")
    assert ran.code == 0
    assert list(results()["experiments"]) == ["other"]
    assert "Partial report, without: Means of numbers." in ran.out
    assert "Means of numbers" in Path("build/report.html").read_text()
    assert not Path("build/figures/toy-losses.svg").exists()


def test_a_failing_experiment_is_told_in_its_chapter_and_by_exit_code_1(run: Run) -> None:
    ran = run(*BUILD, "--set", "toy.rule=crash", "--only", "toy", "--only", "other")
    assert ran.code == 1
    assert "'toy' failed: mean, size 2: RuntimeError: the toy crashed" in ran.err
    assert "Traceback" not in ran.err
    found = results()["experiments"]
    assert "the toy crashed" in found["toy"]["error"]
    html = Path("build/report.html").read_text()
    assert "the toy crashed" in html
    assert Path("build/report.html").exists()


def test_one_failure_leaves_the_other_chapter_whole(run: Run) -> None:
    ran = run(
        "build", "--set", "other.sizes=4", "--set", "toy.sizes=2,3", "--set", "toy.rule=plain"
    )
    assert ran.code == 0
    ran = run(*BUILD, "--set", "toy.rate=0.25", "--set", "toy.rule=diverge")
    assert ran.code == 1
    assert "lower the learning rate" in ran.err


def test_without_pango_the_html_is_built_and_the_packages_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "weasyprint.py").write_text("raise OSError('cannot load libpango-1.0-0')\n")
    monkeypatch.syspath_prepend(broken)
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    ran = run("build", "--only", "toy")
    assert ran.code == 1
    assert Path("build/report.html").exists()
    assert not Path("build/report.pdf").exists()
    assert "apt" in ran.err
    assert "libpango" in ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build", "--only", "tyo"], "There is no experiment 'tyo'. Did you mean 'toy'?"),
        (["build", "--set", "toy.epochs=x"], "expected a whole number"),
        (["build", "--set", "toy.epoch=1"], "Did you mean 'epochs'?"),
        (["build", "--preset", "quik"], "Did you mean 'quick'?"),
        (["build", "--format", "docx"], "out of html, pdf"),
        (["build", "--data", "reel"], "Did you mean 'real'?"),
        (["build", "--seed", "-1"], "--seed: expected a whole number at least 0"),
        (["build", "--seed", "one"], "'one' is not a valid integer"),
        (["build", "--data", "real", "--only", "toy"], "put them into --data-dir"),
        (["build", "--data-dir", "empty"], "numbers.txt can't be read"),
        (["build", "--config", "none.toml"], "There is no settings file none.toml"),
        (["build", "--out", "/proc/nowhere"], "can't be written"),
        (["build", "--onyl", "toy"], "--only"),
        (["render", "--out", "elsewhere"], "run 'reportgen build' first"),
        (["show"], "run 'reportgen build' first"),
        (["list", "--preset", "quik"], "Did you mean 'quick'?"),
        (["data", "fetch", "nmubers"], "Did you mean 'numbers'?"),
        (["biuld"], "build"),
    ],
)
def test_a_wrong_request_gets_one_clear_sentence_and_exit_2(
    run: Run, words: list[str], message: str
) -> None:
    Path("empty").mkdir()
    ran = run(*words)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not Path("build/results.json").exists()


def test_a_wrong_request_loses_nothing_that_was_built(run: Run) -> None:
    run(*BUILD, "--only", "toy")
    before = {p: p.read_bytes() for p in Path("build").rglob("*") if p.is_file()}
    for words in (
        ["--set", "toy.epochs=0"],
        ["--data-dir", "missing"],
        ["--only", "tyo"],
        ["--config", "none.toml"],
    ):
        assert run(*BUILD, *words).code == 2
    after = {p: p.read_bytes() for p in Path("build").rglob("*") if p.is_file()}
    assert {p.name: data for p, data in after.items() if p.name != "lock"} == {
        p.name: data for p, data in before.items() if p.name != "lock"
    }


def test_quiet_says_nothing_and_verbose_says_every_epoch(run: Run) -> None:
    ran = run(*BUILD, "-q", "--only", "toy")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    ran = run(*BUILD, "-v", "--only", "toy", "--seed", "1")
    assert "mean, size 3: epoch 3 of 3, loss" in ran.err


def test_render_writes_again_with_a_new_title_and_without_training(run: Run) -> None:
    run(*BUILD, "--only", "toy", "--author", "A. Student")
    ran = run("render", "--title", "Another title")
    assert ran.code == 0
    html = Path("build/report.html").read_text()
    assert "Another title" in html
    assert "A. Student" in html
    assert results()["identity"]["title"] == "Another title"


def test_one_format_alone_is_written(run: Run) -> None:
    assert run("build", "--only", "toy", "--format", "html").code == 0
    assert Path("build/report.html").exists()
    assert not Path("build/report.pdf").exists()
    ran = run("build", "--only", "toy", "--format", "pdf")
    assert "build/report.html is from an earlier build" in ran.out


@pytest.mark.parametrize("text", ["", "{", "{}", '{"schema_version": 99}', '{"schema_version": 1}'])
def test_a_broken_results_file_is_told(run: Run, text: str) -> None:
    Path("build").mkdir()
    Path("build/results.json").write_text(text)
    ran = run("render")
    assert ran.code == 2
    assert "build/results.json" in ran.err
    assert ran.err.count("\n") == 1


def test_show_prints_key_tables_and_json(run: Run) -> None:
    run(*BUILD)
    ran = run("show")
    assert ran.code == 0
    assert "Errors by size." in ran.out
    assert json.loads(run("show", "--json", "--only", "toy").out)["toy"]["errors"][0]["size"] == 2
    assert "Did you mean 'toy'?" in run("show", "--only", "tyo").err


def test_list_names_experiments_and_their_settings(run: Run) -> None:
    ran = run("list")
    assert ran.code == 0
    assert "finds the mean of numbers by steps" in " ".join(ran.out.split())
    ran = run("list", "--settings", "--preset", "quick")
    assert "toy.epochs" in ran.out


def test_data_status_and_fetch_answer_for_each_dataset(run: Run) -> None:
    ran = run("data", "status")
    assert ran.code == 0
    assert "Ten numbers" in ran.out
    ran = run("data", "fetch", "numbers")
    assert ran.code == 0
    assert "Ten numbers" in ran.out


def test_clean_removes_what_was_built_and_nothing_else(run: Run) -> None:
    run(*BUILD, "--only", "toy")
    Path("build/notes.txt").write_text("mine")
    Path("build/.report.html.new").write_text("<p>A killed build left this")
    assert "Would remove build/report.html" in run("clean", "--dry-run").out
    assert Path("build/report.html").exists()
    assert run("clean").code == 0
    assert [path.name for path in Path("build").iterdir()] == ["notes.txt"]
    assert "nothing to remove" in run("clean").out


def test_clean_leaves_a_folder_alone_that_no_build_wrote(run: Run) -> None:
    Path("thesis/figures").mkdir(parents=True)
    ran = run("clean", "--out", "thesis")
    assert ran.code == 2
    assert Path("thesis/figures").exists()


def test_open_shows_the_pdf(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    run("build", "--only", "toy", "--open")
    assert opened == ["build/report.pdf"]


def test_an_experiment_that_cannot_be_imported_is_told_in_the_report(
    run: Run, toys: Registry
) -> None:
    from importlib.metadata import EntryPoint

    toys._points["gone"] = EntryPoint("gone", "no_such_module:Gone", "reportgen.experiments")
    ran = run(*BUILD)
    assert ran.code == 1
    assert "'gone' (no_such_module:Gone) can't be imported" in ran.err
    assert results()["experiments"]["toy"]["error"] == ""
    assert run(*BUILD, "--only", "toy").code == 0


def test_a_section_that_raises_takes_no_other_with_it(run: Run, toys: Registry) -> None:
    from importlib.metadata import EntryPoint

    toys._points["untellable"] = EntryPoint(
        "untellable", "toy_experiment:UntellableExperiment", "reportgen.experiments"
    )
    ran = run(*BUILD)
    assert ran.code == 1
    assert "RuntimeError: no words for it" in ran.err
    assert results()["experiments"]["toy"]["error"] == ""
    assert "Traceback" in Path("build/store/log.txt").read_text()


def commands(group: click.Group, prefix: str = "") -> list[tuple[str, click.Command]]:
    found = []
    for name, command in group.commands.items():
        found.append((f"{prefix}{name}", command))
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix}{name} ")
    return found


@pytest.mark.parametrize(("name", "command"), commands(cli.commands))
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    assert command.help
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{name} {parameter.name}"  # type: ignore[attr-defined]


def test_ctrl_c_ends_with_130_at_once_and_keeps_what_is_finished(tmp_path: Path) -> None:
    toy = Path(__file__).parent / "toy"
    script = (
        "from importlib.metadata import EntryPoint\n"
        "from reportgen import cli, registry\n"
        "if __name__ == '__main__':\n"
        "    point = EntryPoint('toy', 'toy_experiment:ToyExperiment', registry.GROUP)\n"
        "    found = registry.Registry([point])\n"
        "    registry.installed = lambda: found\n"
        "    cli.main()\n"
    )
    (tmp_path / "main.py").write_text(script)
    command = [sys.executable, str(tmp_path / "main.py"), "build", "--jobs", "1"]
    command += ["--set", "toy.sizes=900,2", "--set", "toy.rule=sleep"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": f"{toy}:{toy.parents[1]}"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    waiting = {"mean, size 900: done in 0 s\n", "mean, size 2: started\n"}
    while waiting:
        line = process.stderr.readline()
        assert line, "the build ended before it was interrupted"
        waiting.discard(line)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 130
    assert time.monotonic() - began < 10
    assert "Interrupted" in rest
    assert "Traceback" not in rest
    assert len(list(Path("build/store").glob("toy-*/SHA256SUMS"))) == 1


def test_several_seeds_train_each_model_several_times(run: Run) -> None:
    ran = run(*BUILD, "--only", "toy", "--seeds", "3")
    assert ran.code == 0, ran.err
    assert "Training 6 models." in ran.err
    assert "mean, size 2, seed 2: done" in ran.err
    ran = run(*BUILD, "--only", "toy", "--seeds", "4")
    assert "Training 2 models; 6 kept from earlier builds." in ran.err


def test_the_preset_thorough_trains_six_times(run: Run) -> None:
    assert "Training 12 models." in run(*BUILD, "--only", "toy", "--preset", "thorough").err
    assert results()["command"] == "reportgen build --only toy --preset thorough"


def test_strict_ends_with_1_where_a_claim_is_not_supported(run: Run) -> None:
    words = (*BUILD, "--only", "toy", "--set", "toy.sizes=2")
    assert run(*words).code == 0
    ran = run(*words, "--strict")
    assert ran.code == 1
    assert "The error rises with the size.: can't be told" in ran.err
    assert run(*words, "--strict").code == 1  # nothing was built anew


def test_an_authors_claim_is_judged_with_its_evidence(run: Run) -> None:
    Path("reportgen.toml").write_text(
        '[report]\nclaims = ["toy.errors[2].error < 1", "other.errors[\'9\'].error > 1"]\n'
    )
    assert run(*BUILD, "--only", "toy").code == 0
    claims = results()["claims"]
    assert [claim["verdict"] for claim in claims] == ["supported", "can't be told"]
    html = Path("build/report.html").read_text()
    assert "toy.errors[2].error &lt; 1" in html
    assert "Its experiment is not in this report." in html
    assert 'data-origin="toy.errors[0].error"' in html
    ran = run("render", "--claim", "toy.errors[3].error == 77")
    assert ran.code == 0
    assert [claim["verdict"] for claim in results()["claims"]] == ["not supported"]


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("toy.errors[2].error = 1", "Did you mean '=='?"),
        ("tyo.errors[2].error < 1", "Did you mean 'toy'?"),
        ("toy.errors[2].eror < 1", "Did you mean 'error'?"),
        ("__import__('os').system('true')", "expected"),
    ],
)
def test_a_wrong_claim_is_told_in_one_sentence(run: Run, claim: str, told: str) -> None:
    ran = run(*BUILD, "--only", "toy", "--claim", claim)
    assert ran.code == 2
    assert told in ran.err
    assert ran.err.splitlines()[-1].startswith("Error: The claim")
