"""Why a trial is kept or runs: each reason, after really changing that thing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen.engine import keys
from reportgen.engine.explain import Explanation, Status, explain, foretold, in_short, told
from reportgen.engine.progress import Observer
from reportgen.engine.run import plan
from reportgen.engine.store import Cost, Entry, Store
from reportgen.engine.worker import Context
from reportgen.experiment import DataOptions, Dataset, Trial, TrialResult
from reportgen.registry import Registry


@pytest.fixture
def dataset(toys: Registry, tmp_path: Path) -> Dataset:
    return toys["toy"].source.prepare(DataOptions("sample", None, tmp_path / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "out" / "store")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of a trainer and a module that it imports."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "train.py").write_text("from lab import maths\n")
    (folder / "maths.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def trial(size: int = 2, seed: int = 0, trainer: str = "toy_training:train", **more: Any) -> Trial:
    params = {"size": size, "epochs": 3, "rate": 0.5, "rule": "plain"} | more
    return Trial("toy", trainer, params, seed, f"mean, size {size}", cost=size)


def keep(
    store: Store, dataset: Dataset, *trials: Trial, seconds: float = 1.0, device: str = "cpu"
) -> list[Path]:
    """Put these trials into the store as if they had been trained; their folders."""
    paths = []
    for p in plan([(t, dataset) for t in trials], store, Observer(), device=device):
        result = TrialResult({"loss": [0.5]}, {"error": 0.5}, {"mean": np.zeros(2)})
        store.put("toy", p.key, Entry(p.ingredients, p.trial.label, Cost(seconds, 1.0, 1), result))
        paths.append(store.path("toy", p.key))
    return paths


def why(store: Store, dataset: Dataset, *trials: Trial, **settings: Any) -> list[Explanation]:
    """What is said of a build of these trials with these settings of the toy."""
    values = {"toy": {f"toy.{name}": value for name, value in settings.items()}}
    planned = plan([(t, dataset) for t in trials], store, Observer())
    return explain(planned, store, values, {})


def reasons(store: Store, dataset: Dataset, *trials: Trial, **settings: Any) -> list[str]:
    """The reasons of the only trial of the build that runs."""
    [one] = [e for e in why(store, dataset, *trials, **settings) if e.status is not Status.KEPT]
    return list(one.reasons)


def test_nothing_comparable_was_ever_trained(store: Store, dataset: Dataset) -> None:
    assert why(store, dataset, trial()) == [
        Explanation(trial(), Status.RUN, ("never trained before",))
    ]


def test_what_did_not_change_is_kept(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial())
    assert [e.status for e in why(store, dataset, trial())] == [Status.KEPT]


def test_a_changed_setting_is_named_as_it_is_set(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial(epochs=3, rate=0.2))
    found = reasons(store, dataset, trial(epochs=50, rate=0.25), epochs=50, rate=0.25)
    assert found == ["toy.epochs 3 → 50", "toy.rate 0.2 → 0.25"]


def test_a_setting_of_another_experiment_is_named_by_its_home(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(epochs=3))
    values = {"toy": {"toy.epochs": 9, "basis.epochs": 4}}
    planned = plan([(trial(epochs=4), dataset)], store, Observer())
    assert explain(planned, store, values, {})[0].reasons == ("basis.epochs 3 → 4",)


def test_a_parameter_that_is_no_setting_is_named_as_it_is(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial(shape=(2, 3)))
    assert reasons(store, dataset, trial(shape=(2, 4)), epochs=3) == ["shape 2,3 → 2,4"]


def test_parameters_that_came_and_went_are_told(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial(slow=True))
    found = reasons(store, dataset, trial(momentum=0.9), momentum=0.9)
    assert sorted(found) == ["slow is gone (was true)", "toy.momentum is new (0.9)"]


def test_another_seed_is_told(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial(2), trial(3))
    found = why(store, dataset, trial(2, seed=1), trial(3, seed=1), sizes=(2, 3))
    assert [e.reasons for e in found] == [("seed 0 → 1",)] * 2


def test_another_device_is_told_and_its_time_foretells_nothing(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(), device="gpu")
    [found] = why(store, dataset, trial())
    assert found.reasons == ("device gpu → cpu",)
    assert found.seconds is None


def test_other_data_are_told_with_what_they_are(
    store: Store, dataset: Dataset, toys: Registry, tmp_path: Path
) -> None:
    keep(store, dataset, trial())
    (tmp_path / "numbers.txt").write_text("1\n2\n")
    other = toys["toy"].source.prepare(DataOptions("auto", tmp_path, tmp_path / "cache"))
    old, new = dataset.fingerprint[:8], other.fingerprint[:8]
    assert reasons(store, other, trial()) == [
        f"data: numbers changed (fingerprint {old}… → {new}…), now the published data"
    ]
    keep(store, other, trial(rate=0.1))
    assert "now the embedded sample" in reasons(store, dataset, trial(rate=0.1, rule="x"))[-1]


def test_another_dataset_is_told_by_its_name(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial())
    other = replace(dataset, summary=replace(dataset.summary, name="digits"))
    assert sorted(reasons(store, other, trial())) == [
        "data: digits is new",
        "data: numbers is gone",
    ]


def test_changed_new_and_missing_source_files_are_named(
    store: Store, dataset: Dataset, lab: Path
) -> None:
    one = trial(trainer="lab.train:train")
    keep(store, dataset, one)
    (lab / "maths.py").write_text("def double(x):\n    return x + x\n")
    assert reasons(store, dataset, one) == ["lab/maths.py changed"]
    (lab / "__init__.py").write_text("VERSION = 2\n")
    (lab / "sums.py").write_text("")
    (lab / "train.py").write_text("from lab import sums\n")
    assert sorted(reasons(store, dataset, one)) == [
        "lab/__init__.py changed",
        "lab/maths.py is gone",
        "lab/sums.py is new",
        "lab/train.py changed",
    ]


def test_another_trainer_is_told_without_the_list_of_its_files(
    store: Store, dataset: Dataset, lab: Path
) -> None:
    keep(store, dataset, trial())
    found = reasons(store, dataset, trial(trainer="lab.train:train"))
    assert found == ["trainer toy_training:train → lab.train:train"]


def test_another_version_of_a_library_is_told(
    store: Store, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"numpy": "2.0.0"}
    monkeypatch.setattr(keys, "_version", lambda name: versions[name])
    keep(store, dataset, trial())
    versions["numpy"] = "2.1.0"
    assert reasons(store, dataset, trial()) == ["numpy 2.0.0 → 2.1.0"]


def test_one_more_in_a_list_of_settings_is_new_and_not_a_change(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(2), trial(3))
    wanted = [trial(2), trial(3), trial(256)]
    assert reasons(store, dataset, *wanted, sizes=(2, 3, 256)) == ["new: toy.sizes has 256 now"]
    assert reasons(store, dataset, trial(2), trial(4), sizes=(2, 4)) == ["new: toy.sizes has 4 now"]


def test_a_new_one_stays_new_when_the_others_change_too(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial(2), trial(3))
    wanted = [trial(size, epochs=4) for size in (2, 3, 4)]
    found = why(store, dataset, *wanted, sizes=(2, 3, 4), epochs=4)
    changed = ("toy.epochs 3 → 4",)
    assert [e.reasons for e in found] == [changed, changed, ("new: toy.sizes has 4 now",)]


def test_one_that_stands_beside_the_list_is_new_and_its_nearest_is_named(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(2), trial(3))
    assert reasons(store, dataset, trial(9), sizes=(2, 3)) == [
        "new: size 9 (nearest kept: mean, size 3)"
    ]


def test_a_setting_is_a_change_though_another_experiment_has_a_list_of_it(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(2))
    values = {"toy": {"toy.size": 9, "basis.sizes": (2, 3)}}
    planned = plan([(trial(9), dataset)], store, Observer())
    assert explain(planned, store, values, {})[0].reasons == ("toy.size 2 → 9",)


def test_a_trial_is_not_taken_for_the_change_of_one_that_is_still_wanted(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(fold=1))
    assert reasons(store, dataset, trial(fold=1), trial(fold=2)) == [
        "new: fold 2 (nearest kept: mean, size 2)"
    ]


def test_a_neighbour_of_newer_code_does_not_hide_that_the_code_changed(
    store: Store, dataset: Dataset, lab: Path
) -> None:
    two, three = trial(2, trainer="lab.train:train"), trial(3, trainer="lab.train:train")
    keep(store, dataset, two, three)
    (lab / "maths.py").write_text("def double(x):\n    return x + x\n")
    (lab / "train.py").write_text("from lab import maths\nRATE = 2\n")
    keep(store, dataset, two)
    assert sorted(reasons(store, dataset, two, three, sizes=(2, 3))) == [
        "lab/maths.py changed",
        "lab/train.py changed",
    ]


def test_the_closest_is_compared_and_of_equally_close_ones_the_last(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(epochs=9, rate=0.9))
    [old] = keep(store, dataset, trial(rate=0.1))
    [new] = keep(store, dataset, trial(epochs=7))
    for path, time in ((old, 1_000), (new, 2_000)):
        os.utime(path / "trial.json", (time, time))
    assert reasons(store, dataset, trial(), epochs=3, rate=0.5) == ["toy.epochs 7 → 3"]
    os.utime(old / "trial.json", (3_000, 3_000))
    assert reasons(store, dataset, trial(), epochs=3, rate=0.5) == ["toy.rate 0.1 → 0.5"]


@pytest.mark.parametrize("name", ["trial.json", "arrays.npz", "SHA256SUMS"])
def test_a_damaged_entry_is_named(store: Store, dataset: Dataset, name: str) -> None:
    [path] = keep(store, dataset, trial())
    (path / name).write_bytes((path / name).read_bytes()[:-9])
    [one] = why(store, dataset, trial())
    assert one.status is Status.DAMAGED
    assert str(path) in one.reasons[0]
    assert "damaged" in one.reasons[0]


def test_an_interrupted_run_says_where_it_goes_on(store: Store, dataset: Dataset) -> None:
    import toy_training

    class Interrupting:
        def put(self, message: Any) -> None:
            if message.progress.epoch == 3:
                raise KeyboardInterrupt

    keep(store, dataset, trial(rate=0.25))
    [p] = plan([(trial(), dataset)], store, Observer())
    context = Context(p.trial.identity, 1, store.checkpoint_path(p.key), Interrupting())
    with pytest.raises(KeyboardInterrupt):
        toy_training.train(p.trial.params, 0, dataset, context)
    [one] = why(store, dataset, trial())
    assert one.status is Status.CONTINUES
    assert one.reasons == ("continues after epoch 2 of an interrupted run",)
    (store.checkpoint_path(p.key) / "arrays.npz").write_bytes(b"")
    assert reasons(store, dataset, trial()) == ["rate 0.25 → 0.5"]


def test_fresh_runs_what_is_kept_and_says_who_asked(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial())
    planned = plan([(trial(), dataset)], store, Observer())
    [one] = explain(planned, store, {}, {}, fresh=True)
    assert (one.status, one.reasons) == (Status.RUN, ("asked for by --fresh",))


def test_a_training_of_another_experiment_says_who_needs_it(store: Store, dataset: Dataset) -> None:
    planned = plan([(trial(), dataset)], store, Observer())
    [one] = explain(planned, store, {}, {trial(): ["other"]})
    assert one.reasons == ("never trained before", "needed by other")
    [one] = explain(planned, store, {}, {trial(): ["toy", "other"]})
    assert one.reasons == ("never trained before",)


def test_what_is_kept_is_listed_without_arrays_and_despite_damage(
    store: Store, dataset: Dataset
) -> None:
    assert store.kept() == []
    paths = keep(store, dataset, trial(2), trial(3), trial(4), trial(5))
    (paths[0] / "arrays.npz").unlink()
    (paths[1] / "trial.json").write_text("{}")
    (paths[2] / "SHA256SUMS").unlink()
    (store.folder / ".toy-0.new").mkdir()
    (store.folder / ".toy-0.new" / "trial.json").write_text("{")
    assert sorted(kept.label for kept in store.kept()) == ["mean, size 2", "mean, size 5"]


def test_the_time_is_foretold_from_what_is_kept_or_not_at_all(
    store: Store, dataset: Dataset
) -> None:
    keep(store, dataset, trial(2), seconds=10.0)
    keep(store, dataset, trial(3), seconds=14.0)
    wanted = [trial(2), trial(3, seed=1), trial(4)]
    found = why(store, dataset, *wanted, sizes=(2, 3, 4))
    # 14 s as before the other seed, and 4 × (10 s + 14 s) / (2 + 3) by the pace of the others.
    assert foretold(found, jobs=1) == pytest.approx(14 + 19.2)
    assert foretold(found, jobs=2) == pytest.approx(19.2)
    stranger = Explanation(replace(trial(5), experiment="other"), Status.RUN)
    assert foretold([*found[:1], stranger], jobs=1) == pytest.approx(5 * 10 / 2)
    assert foretold(why(store, dataset, trial(2, epochs=9)), jobs=1) is None


def test_all_is_told_in_aligned_lines_and_a_sum(store: Store, dataset: Dataset) -> None:
    keep(store, dataset, trial(2), seconds=20.0)
    found = why(store, dataset, trial(2), trial(100), sizes=(2, 100))
    assert told(found, jobs=1) == [
        "✓ mean, size 2    kept, unchanged",
        "▸ mean, size 100  will be trained",
        "    new: toy.sizes has 100 now",
        "A build would train 1 model in about 16 min 40 s; 1 kept from earlier builds.",
    ]


def test_a_build_groups_what_runs_for_the_same_reason() -> None:
    runs = [Explanation(trial(size), Status.RUN, ("toy.epochs 3 → 4",)) for size in (2, 3, 4)]
    never = Explanation(trial(5), Status.RUN, ("never trained before",))
    kept = Explanation(trial(6), Status.KEPT)
    many = Explanation(trial(7), Status.RUN, ("a", "b", "c", "d", "e"))
    assert in_short([*runs, never, kept, many]) == [
        "mean, size 2 (and 2 more): toy.epochs 3 → 4",
        "mean, size 7: a, b, c, and 2 more",
    ]


def test_a_build_spends_a_handful_of_lines_on_reasons() -> None:
    runs = [replace(trial(n), label=f"trial {n}") for n in range(9)]
    lines = in_short([Explanation(t, Status.RUN, (f"reason {t.label}",)) for t in runs])
    assert lines[:4] == [f"trial {n}: reason trial {n}" for n in range(4)]
    assert lines[4:] == ["5 more: see 'reportgen build --explain'."]
