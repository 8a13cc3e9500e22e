"""The truth of a simulated world as a backtest needs it: which alerts answer which events, and from when on.

The simulator knows nothing of alerts and the methods nothing of the simulator; this is where the two vocabularies meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from geocollateral.change.evaluation import SIZES_HA, Answers, Truth, classes_of
from geocollateral.errors import MissingInput

STAND = ("stand_loss", "clear_cut", "thinning", "fire", "storm", "beetle", "stand_decline", "conversion")
"""Any name for a loss of stand answers any: that it is gone matters first, the cause has a table of its own."""
ANSWERS: Answers = {
    "clear_cut": STAND,
    "thinning": STAND,
    "fire": STAND,
    "storm": STAND,
    "beetle": STAND,
    "crop_failure": ("crop_failure",),
    "abandonment": ("abandonment", "missed_season"),
    "flood": ("flood", "crop_failure"),
    "land_preparation": ("land_preparation", "encroachment", "clearing"),
    "encroachment": ("land_preparation", "encroachment", "clearing"),
    "construction": ("construction_start", "works_suspected", "construction"),
    "stall": ("stall", "stall_suspected", "stalled"),
    "demolition": ("demolition",),
    "pv_build": ("pv_build",),
    "wind_build": ("wind_build",),
    "pond_drained": ("pond_drained", "pond_empty"),
}
"""Kinds of true events of a world, and the kinds of alerts that answer each."""
MIN_AREA_M2: Mapping[str, float] = {"construction": 5000.0, "clear_cut": 3000.0}
"""Smallest true event that must be found [m2]; of kinds without an entry, any."""
STALL_GRACE_DAYS = 90
"""A site that has stood still for less is not stalled [days]."""
ABANDONED_AFTER_DAYS = 365
"""Before this a field without crop may as well lie fallow [days]."""


def read_truth(folder: Path) -> Truth:
    """Truth of a simulated world, with the days from which its events can be said.

    Raises
    ------
    MissingInput
        The folder holds no simulated world.
    """
    home = folder / "truth"
    if not home.is_dir():
        raise MissingInput(f"{folder} holds no simulated world: it has no folder 'truth'.")
    tables = {name: pd.read_parquet(home / f"{name}.parquet") for name in _TABLES}
    events = _with_days(tables["events"], tables["stages"], tables["phenology"])
    parcels = tables["parcels"]
    parcels = parcels[["parcel_id", "site", "asset_class", "cover_at_start"]].assign(
        parcel_size=classes_of(parcels["area_m2"] / 1e4, SIZES_HA, "ha")
    )
    events = events.assign(event_size=classes_of(events["area_m2"] / 1e4, SIZES_HA, "ha")).drop(columns="site")
    return Truth(parcels=parcels, events=events, quiet_years=tables["quiet_years"])


_TABLES = ("parcels", "events", "quiet_years", "stages", "phenology")


def _with_days(events: pd.DataFrame, stages: pd.DataFrame, phenology: pd.DataFrame) -> pd.DataFrame:
    """Events with ``due``, ``half`` and ``done``; what is not set here is left to the matching.

    1. A site: its clearing is the start, and the table of stages says how far it was.
    2. A crop that fails: the table of green cover says how fast.
    3. A flood rises in two days.
    4. Abandonment is there from the day of the sowing that did not come, and can be told from a fallow year later.
    5. A stall is there from its first day, and can be told when its grace is over; one that ends sooner is none.
    """
    rows = []
    greens = dict(tuple(phenology.groupby("parcel_id"))) if len(phenology) else {}
    plans = dict(tuple(stages.groupby("parcel_id"))) if len(stages) else {}
    for event in rows_of(events):
        start, kind = pd.Timestamp(event["start"]), event["kind"]
        if kind == "construction" and event["parcel_id"] in plans:
            own = plans[event["parcel_id"]].set_index("date")["vegetated"]
            event |= _fall(own, start, event["end"], down_to=0.0)
        elif kind == "crop_failure" and event["parcel_id"] in greens:
            own = greens[event["parcel_id"]].set_index("date")["green_cover"]
            event |= _fall(own, start, event["end"], down_to=1 - float(event["severity"]))
        elif kind == "flood":
            event |= {"half": start + pd.Timedelta(days=1), "done": start + pd.Timedelta(days=2)}
        elif kind == "abandonment":
            event |= {"half": start, "done": start, "due": start + pd.Timedelta(days=ABANDONED_AFTER_DAYS)}
        elif kind == "stall":
            due = start + pd.Timedelta(days=STALL_GRACE_DAYS)
            event |= {"half": start, "done": start, "due": due}
            if due > event["end"]:
                event["kind"] = "short_stall"
        rows.append(event)
    columns = [*events, *(name for name in ("due", "half", "done") if name not in events)]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(("due", "half", "done"), "datetime64[s]"))


def _fall(cover: pd.Series, start: pd.Timestamp, end: pd.Timestamp, down_to: float) -> dict[str, pd.Timestamp]:
    """Days on which half and nine tenths of a fall of cover to a share of what it was are done; ``end`` if never."""
    before = cover[cover.index <= start]
    after = cover[cover.index >= start]
    if before.empty or before.iloc[-1] <= 0:
        return {}
    left = (after / before.iloc[-1] - down_to) / (1 - down_to)
    days = {}
    for name, still in (("half", 0.5), ("done", 0.1)):
        reached = left.index[left <= still]
        days[name] = pd.Timestamp(reached[0]) if len(reached) else pd.Timestamp(end)
    return days


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as mappings."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
