"""Where Q1's autoencoder errs: its error by digit, and its best and worst reconstructions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from experiments.autoencoder.trainings import MEASURES, SIGNIFICANT, Trainings
from experiments.dense_experiment import image_grid
from experiments.dense_model import DenseModel, scaled
from experiments.uncertainty import interval_cells, interval_columns
from experiments.wording import listing, p_is
from reportgen.experiment import Array, Dataset, TrialResult
from reportgen.results import (
    Column,
    Figure,
    Number,
    Prose,
    Scalar,
    Table,
    Value,
    prose,
    ref,
)
from reportgen.statistics import mean_intervals

PREFERRED = 32
"""The errors are looked at for the latent dimension that is nearest to this one."""

SHOWN = 8
"""Most images of a kind that are shown."""


@dataclass(frozen=True)
class ErrorAnalysis:
    """The errors of one autoencoder, that of the first seed, image by image.

    ``mse`` is float (test images,), ``labels`` and ``ink`` (the mean grey value, 0..1) likewise.
    """

    dim: int
    origin: str
    mse: Array
    labels: Array
    ink: Array
    digits: Table
    extremes: Figure

    @classmethod
    def of(cls, trainings: Trainings, dataset: Dataset) -> ErrorAnalysis:
        """Look at the latent dimension that is nearest to the preferred one."""
        dim = min(trainings.dims, key=lambda dim: (abs(dim - PREFERRED), dim))
        result, origin = trainings.first[dim], trainings.origin(dim)
        labels, images = np.asarray(dataset.array("y_test")), dataset.array("x_test")
        ink = images.mean(axis=1, dtype=np.float64) / 255
        training = np.bincount(dataset.array("y_train"), minlength=256)
        return cls(
            dim=dim,
            origin=origin,
            mse=result.arrays["test_mse"],
            labels=labels,
            ink=ink,
            digits=_digits(dim, result, labels, training, ink, origin),
            extremes=_extremes(dim, result, images),
        )

    # prose

    def about_classes(self) -> Prose:
        """How often each digit occurs."""
        table = self.digits
        cells: dict[str, Value] = {"table": ref(table)}
        parts = []
        for part in ("training", "test"):
            counts = [int(str(row[f"{part}_images"])) for row in table.rows]
            fewest, most = (table.rows[counts.index(pick(counts))]["digit"] for pick in (min, max))
            for name, digit in (("fewest", fewest), ("most", most)):
                cells[f"{part}_{name}"] = table.cell(f"{part}_images", digit=digit)
                cells[f"{part}_{name}_digit"] = table.cell("digit", digit=digit)
            parts.append(
                f"from {{{part}_fewest}} (digit {{{part}_fewest_digit}}) to "
                f"{{{part}_most}} (digit {{{part}_most_digit}}) images in the {part} part"
            )
        balance = "The digits are not all equally frequent"
        if all(len({row[f"{p}_images"] for row in table.rows}) == 1 for p in ("training", "test")):
            balance = "All digits are equally frequent"
        return prose(f"{balance} ({{table}}): {' and '.join(parts)}.", **cells)

    def about_digits(self) -> Prose:
        """Which digits are hardest, and whether that can be told."""
        table = self.digits
        ranked = sorted(table.rows, key=lambda row: float(str(row["test_mse"])))
        places: dict[str, Value] = {"dim": self._dim, "table": ref(table)}
        for name, row in (("easiest", ranked[0]), ("hardest", ranked[-1])):
            places |= {name: table.cell("digit", digit=row["digit"])}
            places |= {f"{name}_mse": table.cell("test_mse", digit=row["digit"])}
        if len(ranked) == 1:
            places = {name: places[name] for name in ("table", "dim", "easiest", "easiest_mse")}
            return prose(
                "At latent {dim}, test MSE is {easiest_mse} for the only digit there is, "
                "{easiest} ({table}).",
                **places,
            )
        text = (
            "{table} splits the error at latent {dim} by digit. It is smallest for the digit "
            "{easiest}, {easiest_mse}, and largest for {hardest}, {hardest_mse}. "
        )
        low = ranked[-1]["test_mse_low"]
        rivals = [row["digit"] for row in ranked[:-1] if _reaches(row["test_mse_high"], low)]
        if rivals:
            names, digits = listing("rival", [table.cell("digit", digit=d) for d in rivals])
            return prose(
                text + f"The interval of the largest error overlaps with that of {names}: which "
                "digit is hardest can't be told.",
                **places,
                **digits,
            )
        return prose(
            text + "No other digit's interval overlaps with that of the largest.", **places
        )

    def about_ink(self) -> Iterator[Prose]:
        """Whether images with more ink have larger errors; nothing to say of too few images."""
        if len(self.mse) < 3 or not np.ptp(self.mse) or not np.ptp(self.ink):
            return
        found = scipy.stats.spearmanr(self.ink, self.mse)
        told = found.pvalue < SIGNIFICANT
        more = "larger" if found.statistic > 0 else "smaller"
        text = f"Images with more ink tend to have {more} errors" if told else "Ink explains little"
        reason = ""
        if told and found.statistic > 0:
            reason = (
                ": an error is a difference from the original, and on blank paper there is little "
                "to get wrong"
            )
        yield prose(
            text + reason + " (Spearman's rank correlation between an image's mean grey value and "
            f"its MSE: {{rho}}, {p_is(float(found.pvalue))} {{p}}).",
            rho=self._number(float(found.statistic), "+.2f", "Spearman's correlation, ink and MSE"),
            p=self._number(float(found.pvalue), "p", "of Spearman's correlation, ink and MSE"),
        )

    def about_extremes(self) -> Prose:
        """What the best and the worst reconstructions are."""
        best, worst = ranked_ends(self.mse)
        places: dict[str, Value] = {"figure": ref(self.extremes), "dim": self._dim}
        text = "{figure} shows the best and the worst reconstructions at latent {dim}. "
        for name, chosen in (("best", best), ("worst", worst)):
            if not len(chosen):
                continue
            digits, counts = np.unique(self.labels[chosen], return_counts=True)
            common = int(counts.argmax())
            ends = self.mse[chosen[[0, -1]]]
            about = f"of the {name} reconstructions"
            places |= {
                f"{name}_count": self._number(len(chosen), "d", f"number {about}"),
                f"{name}_first": self._number(float(ends.min()), ".5f", f"smallest MSE {about}"),
                f"{name}_last": self._number(float(ends.max()), ".5f", f"largest MSE {about}"),
                f"{name}_digit": self._number(int(digits[common]), "d", f"commonest digit {about}"),
                f"{name}_times": self._number(int(counts[common]), "d", f"how often, {about}"),
            }
            show = f"{{{name}_times}} of them show"
            if counts[common] == len(chosen):
                del places[f"{name}_times"]
                show = "all show"
            text += (
                f"The {{{name}_count}} {name} have MSEs from {{{name}_first}} to {{{name}_last}}; "
                f"{show} the digit {{{name}_digit}}. "
            )
        return prose(text.strip(), **places)

    @property
    def _dim(self) -> Number:
        return self._number(self.dim, "d", f"of those trained, the one nearest to {PREFERRED}")

    def _number(self, value: float, format: str, origin: str) -> Number:
        return Number(value, format, f"{origin}, latent {self.dim}, test images", self.origin)


def ranked_ends(errors: Array) -> tuple[Array, Array]:
    """The indexes of the smallest errors, rising, and of the largest ones, falling.

    Both are equally many, at most :data:`SHOWN`, and no image is in both; a single one is best.
    """
    order = np.argsort(errors, kind="stable")
    count = min(SHOWN, max(1, len(order) // 2))
    return order[:count], order[::-1][: min(count, len(order) - count)]


def _reaches(high: Scalar, low: Scalar) -> bool:
    """Whether an interval's high end reaches another's low end; unknown ends may be anywhere."""
    return high is None or low is None or float(str(high)) >= float(str(low))


def _digits(
    dim: int, result: TrialResult, labels: Array, training: Array, ink: Array, origin: str
) -> Table:
    """The table ``digits``: how often each digit occurs, and its test error."""
    errors = np.stack([result.arrays[f"test_{measure}"] for measure in MEASURES], axis=1)
    rows = []
    for digit in np.unique(labels).tolist():
        chosen = labels == digit
        means = errors[chosen].mean(axis=0, dtype=np.float64).tolist()
        row: dict[str, Scalar] = {
            "digit": digit,
            "training_images": int(training[digit]),
            "test_images": int(chosen.sum()),
            "ink": float(ink[chosen].mean()),
        }
        intervals = mean_intervals(errors[chosen])
        for measure, mean, interval in zip(MEASURES, means, intervals, strict=True):
            row |= interval_cells(f"test_{measure}", mean, interval)
        rows.append(row)
    over = "the digit's test images (BCa bootstrap)"
    columns = (
        Column("digit", "Digit", format="d"),
        Column("training_images", "Training images", "validation ones included", format=",d"),
        Column("test_images", "Test images", format=",d"),
        Column("ink", "Ink", "mean grey value of the test images, in [0, 1]", format=".3f"),
        *interval_columns(Column("test_mse", "Test MSE", format=".5f"), over),
        *interval_columns(Column("test_bce", "Test BCE", "", "nats", ".4f"), over),
    )
    caption = f"The digits: how often they occur, and how well latent {dim} reconstructs them."
    return Table("digits", caption, columns, tuple(rows), trials=(origin,) * len(rows))


def _extremes(dim: int, result: TrialResult, images: Array) -> Figure:
    """The figure ``extremes``: originals above their reconstructions, the best and the worst."""
    ends = ranked_ends(result.arrays["test_mse"])
    model, rows = DenseModel.of(result.arrays), {}
    for name, chosen in zip(("best", "worst"), ends, strict=True):
        if len(chosen) == len(ends[0]):
            originals = scaled(images[chosen])
            rows[f"{name}, original"] = originals
            rows[f"{name}, reconstructed"] = model.reconstruct(originals)
    return image_grid(
        "extremes",
        f"The test images that latent {dim} reconstructs with the smallest and the largest MSE, "
        "the most extreme ones on the left, each above its reconstruction.",
        "Rows of handwritten digits, each above a row of their reconstructions: first the best "
        "ones, then the worst.",
        rows,
    )
