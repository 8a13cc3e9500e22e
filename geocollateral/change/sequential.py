"""The monitor ``sequential``: looks of one or several sensors, one after the other, many series at once.

Time runs in half-yearly steps of the calendar. Through a step the baseline of a series stands; at its end the looks of
the step that agreed with it are added to it. A state holds what was known at the start of the running step and the
looks since: what it says is worked out from these by the same operations however the looks came in, so one look at a
time gives the result of one batch, bit for bit.

A series' history is fitted as soon as it is long enough; nothing is said before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from geocollateral.change.baseline import Mask
from geocollateral.change.history import fit_new
from geocollateral.change.runs import Store
from geocollateral.change.streams import Looks, Plan, baselines_of, rows_of, rules_of, runs_of


def advance(
    store: Store,
    plan: Plan,
    step: int,
    looks: Sequence[Looks],
    past: Sequence[Looks],
    *,
    learn: bool,
    note: Callable[[Store, Mask], None] | None = None,
) -> None:
    """Let all looks of one step bear on some series, in place.

    Parameters
    ----------
    looks
        By stream: those of the step.
    past
        By stream: those of the step and all before it that a history may rest on.
    learn
        Whether the step is over: its looks are then learned from.
    note
        Called once new histories are fitted, with the state and which series those are.
    """
    from geocollateral.change import kernels

    before = store["history_end"][0].copy()
    for s in range(len(plan.streams)):
        fit_new(store, plan, s, step, past[s])
    if note is not None:
        note(store, store["history_end"][0] != before)
    for one in looks:
        kernels.count_looks(np.require(one.values[0], np.float32, ["C", "W"]), store["n_looks"])
    if (store["history_end"] < 0).all():
        return
    given = plan.history_end
    if given is not None:
        looks = [one.rows(slice(int(np.searchsorted(one.days, given, side="right")), None)) for one in looks]
    if any(len(one.days) for one in looks):
        rows = rows_of(plan, {plan.places(s).start: one for s, one in enumerate(looks)})
        kernels.take_step(rows, rules_of(plan), baselines_of(store), runs_of(store), learn)
