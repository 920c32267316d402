"""Checks the quality of a standard report on the real data; prints every figure and its bound."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PCA_MSE = {16: 0.02538, 32: 0.01521, 64: 0.00775, 128: 0.00340}
"""Test MSE of PCA with as many components, clipped to [0, 1]."""


def main(path: str) -> int:
    """Check the results file; the number of figures that miss their bound."""
    experiments = json.loads(Path(path).read_text("utf-8"))["experiments"]
    latent = {
        row["latent_dim"]: row
        for row in experiments["autoencoder"]["tables"]["latent_comparison"]["rows"]
    }
    denoising = {
        row["method"]: row for row in experiments["denoising"]["tables"]["denoising_mse"]["rows"]
    }
    lstm = experiments["lstm"]["tables"]["thresholds"]["rows"]
    accuracy = next(row["accuracy"] for row in lstm if row["threshold"] == 0.5)
    noisy = denoising["noisy input"]["test_mse"]
    checks = [
        ("Q1 test BCE at 32", latent[32]["test_bce"], "<=", 0.0915),
        *(
            (f"Q1 test MSE at {size} against PCA", latent[size]["test_mse"], "<=", bound)
            for size, bound in PCA_MSE.items()
        ),
        ("Q2 test MSE", denoising["denoising autoencoder"]["test_mse"], "<=", 0.0190),
        ("Q2 MSE of the noisy input, from above", noisy, "<=", 0.1166),
        ("Q2 MSE of the noisy input, from below", noisy, ">=", 0.1146),
        ("Q3 test accuracy at 0.5", accuracy, ">=", 0.883),
    ]
    missed = 0
    for name, value, sign, bound in checks:
        held = value <= bound if sign == "<=" else value >= bound
        missed += not held
        print(f"{'ok  ' if held else 'MISS'} {name}: {value:.5f} {sign} {bound:.5f}")
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
