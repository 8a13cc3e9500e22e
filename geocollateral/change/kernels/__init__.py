"""The monitor's loops, compiled: plain arrays in, plain arrays written.

Series are taken `compiling.LANES` at a time, through all their looks: what is worked out of them stays in the cache of
a core, and the innermost loop, over the lanes, becomes vector instructions. Nothing is summed across lanes and no flag
lets the compiler reorder or fuse, so that what is said of a series depends neither on its neighbours nor on the
processor.

From the bottom up: `compiling`, `records` (the arrays), `lanes` (arithmetic), `solving` (normal equations); of
histories `fitting`, `histories`; of a half-year `expecting`, `weighing`, `following`, `bearing`, `stepping`.
"""

from geocollateral.change.kernels.expecting import find_wild, tell_curves
from geocollateral.change.kernels.fitting import fit_seasons
from geocollateral.change.kernels.following import date_runs
from geocollateral.change.kernels.histories import correlate, end_histories, tell_histories
from geocollateral.change.kernels.records import Baselines, Rows, Rules, Runs
from geocollateral.change.kernels.solving import fold, leverage_form, solve, unfold
from geocollateral.change.kernels.stepping import count_looks, take_step

__all__ = [
    "Baselines",
    "Rows",
    "Rules",
    "Runs",
    "correlate",
    "count_looks",
    "date_runs",
    "end_histories",
    "find_wild",
    "fit_seasons",
    "fold",
    "leverage_form",
    "solve",
    "take_step",
    "tell_curves",
    "tell_histories",
    "unfold",
]
