"""How well the shift of an orthomosaic is found: planted shifts in scenes of fields, by size of the ground compared.

Run from the repository: ``PYTHONPATH=.:tests/property python benchmarks/ortho_shift.py [CASES]``. The scenes are those
of tests/property/test_shift_recovery.py: another season in half of the fields, gamma-coded camera, blur and noise.
"""

from __future__ import annotations

import sys

import numpy as np
from test_shift_recovery import measure


def main(cases: int) -> None:
    """Print one row per size of the ground."""
    rows = ["| ground | told | error, median | 95th percentile | largest | within 2 m |", "|---|---|---|---|---|---|"]
    for side in (12, 16, 20, 30, 40, 60):
        fields = (40, 60, 80)
        found = [measure(1000 + n, side, fields[n % 3], (0.2, 0.5, 1.0)[n % 3]) for n in range(cases)]
        errors = np.array([error for shift, error in found if shift.verdict != "cannot_tell"])
        told = f"{len(errors)} of {cases}"
        if len(errors):
            middle, high, most = np.median(errors), np.quantile(errors, 0.95), errors.max()
            said = f"{middle:.1f} m | {high:.1f} m | {most:.1f} m | {(errors <= 2).mean():.0%}"
        else:
            said = "- | - | - | -"
        rows.append(f"| {10 * side} m x {10 * side} m | {told} | {said} |")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
