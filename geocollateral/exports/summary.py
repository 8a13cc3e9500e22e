"""What an assessment says of each parcel, before it is put into words or pictures."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from geocollateral.types import CHANGE_STATUSES, CLOSED_STATUSES, Alert, Assessment, ParcelStatus, Verdict

State = Literal["fine", "attention", "cannot_tell"]
STATES: tuple[State, ...] = ("attention", "cannot_tell", "fine")
"""In the order of urgency."""

LIVING_COLUMN = "obs_living_share_frac"
DISTURBED_COLUMN = "chg_disturbed_m2"
DISTURBED_RANGE = ("chg_disturbed_low_m2", "chg_disturbed_high_m2")

_VERDICT_COLUMN = re.compile(r"claim_(\w+)_verdict")
_OF_A_VERDICT = re.compile(r"claim_\w+_(verdict|reason|observed|low|high)")
_BROKEN = ("confirmed", "suspected")
_VERDICTS: tuple[Verdict, ...] = ("match", "mismatch", "cannot_tell")
_CANNOT_TELL: ParcelStatus = "cannot_tell"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value [currency units] that is never a single number."""

    low: float
    middle: float
    high: float
    currency: str | None


@dataclass(frozen=True, kw_only=True)
class Break:
    """One dated change of a parcel. Dates are days in UTC."""

    last_clear_before: dt.date
    first_clear_after: dt.date
    detected_on: dt.date | None
    recovered_on: dt.date | None
    confirmed: bool
    of_mean: bool
    """Seen in the mean of the whole parcel only; no patch of its pixels was found to have changed."""
    index: str
    """Name of the index, or names joined by ``+``."""
    kind: str | None = None
    """Rule of the alert on this change, else the kind of the event in the look-back; None where neither tells of it."""
    has_alert: bool = False


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a parcel, as its asset class gives it."""

    column: str
    """Its suffix is the unit; `wording` has its name under ``figure.<column>``."""
    value: Any
    """A number, a date or text."""
    low: float | None
    high: float | None
    """Range, where the asset class gives one in the columns with ``_low`` and ``_high`` before the unit."""


SAME_SHARE = 0.03
"""How far the living share and what the loss leaves may differ and tell of the same ground [0-1]: edges of patches."""
ONLY_WHERE_SOME = frozenset(
    {"obs_alien_share_frac", "obs_water_share_frac", "chg_cleared_m2", "chg_flooded_m2", "chg_failed_m2"}
)
"""Figures that say nothing where they are nought."""
FIGURE_COLUMNS: tuple[str, ...] = (
    "obs_pv_present",
    "obs_capacity_mw",
    "obs_pv_share_frac",
    "obs_pv_area_m2",
    "chg_pv_first_works",
    "chg_pv_last_works",
    "obs_pv_overgrown",
    "obs_new_pads",
    "obs_status",
    "obs_progress_frac",
    "obs_built_share_frac",
    "obs_cleared_share_frac",
    "chg_started_on",
    "chg_stalled_since",
    "chg_finished_on",
    "chg_beside_works_m2",
    "chg_beside_since",
    "obs_use",
    "obs_cropped_m2",
    "obs_crops_per_year_n",
    "obs_last_emergence",
    "obs_last_harvest",
    "obs_last_peak_ndvi",
    "obs_vigour_z",
    "chg_failed_m2",
    "chg_idle_since",
    "chg_flooded_m2",
    "chg_cleared_m2",
    "obs_water_m2",
    "obs_water_share_frac",
    "chg_pond_state",
    "chg_dry_since",
    "chg_decline_share_frac",
    "chg_main_cause",
    "chg_regrown_share_frac",
    "obs_damage_share_frac",
    "obs_damage_severe_frac",
    "obs_damage_first_look",
    "obs_damage_window_missed",
    "obs_alien_share_frac",
)
"""Columns of asset classes that the report shows, each class's leading figure first."""


@dataclass(frozen=True, kw_only=True)
class Year:
    """One calendar year of a parcel; None = cannot tell."""

    year: int
    living_frac: float | None
    disturbed_m2: float | None
    n_looks: int


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of a claim: a row of the table ``claims``, or a verdict that has columns of its own only."""

    claim: str
    verdict: Verdict
    claimed: float | str | None = None
    observed: float | str | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    tolerance: float | None = None
    n_looks: int | None = None
    n_pixels: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ParcelFacts:
    """All that the report says of one parcel; None = not known or not given."""

    number: int
    """Place in the input, from 1: the parcel's badge on the map."""
    parcel_id: str
    asset_class: str
    state: State
    area_m2: float
    reason: str | None
    n_obs: int
    last_clear: dt.date | None
    last_telling: dt.date | None
    """Last day on which a change would have shown, where the asset class knows it."""
    living_frac: float | None
    disturbed_m2: float | None
    disturbed_range_m2: tuple[float, float] | None
    """Low and high of the disturbed area, where the asset class gives them."""
    living_range_frac: tuple[float, float] | None
    """Low and high of the living share: of its claim's check, else of what the disturbed area leaves of the parcel."""
    figures: tuple[Figure, ...]
    """Other figures of the asset class, the leading one first; none where the parcel cannot be judged."""
    value: Interval | None
    grade: str | None
    risk_score: float | None
    risk_ltv: float | None
    alerts: tuple[Alert, ...]
    open_alerts: tuple[Alert, ...]
    verdicts: Mapping[str, Verdict]
    """Verdict on each claim, by what is claimed."""
    verdict_reasons: Mapping[str, str]
    """Why, likewise, where it is said."""
    checks: tuple[Check, ...]
    """Those verdicts with what was claimed and observed, in the order in which they are told."""
    claims: Mapping[str, Any]
    """What was claimed of the parcel and its loan, by column."""
    lookback_years: float | None
    """Of the five years before, those that the looks cover; None where nobody looked back."""
    lookback_events: int | None
    """Events found in them; None where that cannot be told."""
    breaks: tuple[Break, ...]
    unstable_indices: tuple[str, ...]
    years: tuple[Year, ...]

    @property
    def mismatches(self) -> tuple[str, ...]:
        """Claims that do not match what is seen."""
        return tuple(name for name, verdict in self.verdicts.items() if verdict == "mismatch")


def summarise(assessment: Assessment) -> tuple[ParcelFacts, ...]:
    """The facts of every parcel, in the order of the input."""
    changes = dict(tuple(assessment.changes.groupby("parcel_id", sort=False)))
    history = _records(assessment.tables.get("history"))
    yearly = dict(tuple(assessment.yearly.groupby("parcel_id", sort=False)))
    nothing = assessment.changes.iloc[:0], assessment.yearly.iloc[:0]
    checks = _checks(assessment.tables.get("claims"))
    return tuple(
        _facts(
            number,
            str(parcel_id),
            dict(zip(assessment.parcels.columns, row, strict=True)),
            tuple(a for a in assessment.alerts if a.parcel_id == parcel_id),
            changes.get(parcel_id, nothing[0]),
            yearly.get(parcel_id, nothing[1]),
            checks.get(str(parcel_id), ()),
            history.get(str(parcel_id), ()),
        )
        for number, (parcel_id, row) in enumerate(
            zip(assessment.parcels.index, _rows(assessment.parcels), strict=True), start=1
        )
    )


def day_of(value: Any) -> dt.date | None:
    """The day of any kind of date; None where there is none."""
    if value is None or pd.isna(value):
        return None
    return pd.Timestamp(value).date()


def number_of(value: Any) -> float | None:
    """A number, or None where there is none."""
    return None if value is None or pd.isna(value) else float(value)


def _rows(table: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    return zip(*(table[column].tolist() for column in table.columns), strict=True)


def _facts(
    number: int,
    parcel_id: str,
    row: Mapping[str, Any],
    alerts: tuple[Alert, ...],
    changes: pd.DataFrame,
    yearly: pd.DataFrame,
    checks: Sequence[Check],
    history: Sequence[Mapping[str, Any]],
) -> ParcelFacts:
    judged = row["meta_status"] != _CANNOT_TELL
    statuses = changes["status"].map(_status_name)
    # A field's mean leaves its season with every early harvest; where a class has events of its own they say more.
    by_mean = not judged or row["asset_class"] == "forestry"
    breaks = _breaks(changes, statuses, alerts, history, by_mean=by_mean)
    verdicts: dict[str, Verdict] = {
        match[1]: v for c, v in row.items() if (match := _VERDICT_COLUMN.fullmatch(c)) and v in _VERDICTS
    }
    reasons = {name: text for name in verdicts if (text := _text(row.get(f"claim_{name}_reason")))}
    open_alerts = tuple(a for a in alerts if a.status not in CLOSED_STATUSES)
    # What needs attention is for the rules of the asset class to say, not for a report.
    suspected = (number_of(row.get("chg_suspected_m2")) or 0) > 0
    attention = bool(open_alerts) or "mismatch" in verdicts.values() or suspected
    years = _years(yearly, judged)
    return ParcelFacts(
        number=number,
        parcel_id=parcel_id,
        asset_class=str(row["asset_class"]),
        state="cannot_tell" if not judged else "attention" if attention else "fine",
        area_m2=float(row["obs_area_m2"]),
        reason=_text(row["meta_reason"]),
        n_obs=int(number_of(row["meta_n_obs"]) or 0),
        last_clear=day_of(row["meta_last_clear"]),
        last_telling=day_of(row.get("chg_last_informative")),
        living_frac=_living(row, years) if judged else None,
        disturbed_m2=_disturbed(row, years) if judged else None,
        disturbed_range_m2=_disturbed_range(row) if judged else None,
        living_range_frac=_living_range(row, checks) if judged else None,
        figures=_figures(row) if judged else (),
        value=_value(row) if judged else None,
        grade=_text(row["val_grade"]) if judged else None,
        risk_score=number_of(row["risk_score"]) if judged else None,
        risk_ltv=number_of(row["risk_ltv"]) if judged else None,
        alerts=alerts,
        open_alerts=open_alerts,
        verdicts=verdicts,
        verdict_reasons=reasons,
        checks=(*checks, *_other_checks(verdicts, reasons, {check.claim for check in checks})),
        claims={
            c: v
            for c, v in row.items()
            if c.startswith(("claim_", "loan_"))
            and not _OF_A_VERDICT.fullmatch(c)
            and _text(v) is not None
            and not (checks and c.startswith("claim_"))  # told with their verdicts
            and not (c == "claim_area_m2" and {"claim_area_mu", "claim_area_ha"} & _known(row))
        },
        lookback_years=number_of(row.get("obs_lookback_years")),
        lookback_events=None if (n_events := number_of(row.get("obs_lookback_events_n"))) is None else int(n_events),
        breaks=breaks,
        unstable_indices=tuple(sorted(set(changes.loc[statuses == "unstable_history", "index"].astype(str)))),
        years=years,
    )


def check_of(row: Mapping[str, Any]) -> Check:
    """A row of the table ``claims``."""
    return Check(
        claim=str(row["claim"]),
        verdict=row["verdict"],
        claimed=number_of(row["claimed"]) if _text(row["claimed_text"]) is None else _text(row["claimed_text"]),
        observed=number_of(row["observed"]) if _text(row["observed_text"]) is None else _text(row["observed_text"]),
        low=number_of(row["low"]),
        high=number_of(row["high"]),
        unit=str(row["unit"]),
        tolerance=number_of(row["tolerance"]),
        n_looks=int(row["n_looks"]),
        n_pixels=int(row["n_pixels"]),
        reason=str(row["reason"]),
    )


def _checks(table: pd.DataFrame | None) -> dict[str, tuple[Check, ...]]:
    """Rows of the table ``claims`` by parcel."""
    return {parcel_id: tuple(map(check_of, rows)) for parcel_id, rows in _records(table).items()}


def _records(table: pd.DataFrame | None) -> dict[str, tuple[dict[str, Any], ...]]:
    """Rows of a table by parcel."""
    if table is None or table.empty:
        return {}
    return {
        str(parcel_id): tuple({str(k): v for k, v in row.items()} for row in own.to_dict("records"))
        for parcel_id, own in table.groupby("parcel_id", sort=False)
    }


def _other_checks(
    verdicts: Mapping[str, Verdict], reasons: Mapping[str, str], told: Collection[str]
) -> Iterator[Check]:
    """Verdicts that have no row in the table ``claims``, such as that on the outline."""
    for name, verdict in verdicts.items():
        if name not in told:
            yield Check(claim=name, verdict=verdict, reason=reasons.get(name, ""))


def _status_name(status: Any) -> str:
    """Name of a change status, kept as a name or as its number."""
    return status if isinstance(status, str) else CHANGE_STATUSES[int(status)]


def _text(value: Any) -> str | None:
    if value is None or (not isinstance(value, (list, tuple, dict)) and pd.isna(value)) or value == "":
        return None
    return str(value)


def _known(row: Mapping[str, Any]) -> set[str]:
    return {name for name, value in row.items() if _text(value) is not None}


def _breaks(
    changes: pd.DataFrame,
    statuses: pd.Series[str],
    alerts: Sequence[Alert],
    history: Sequence[Mapping[str, Any]],
    *,
    by_mean: bool,
) -> tuple[Break, ...]:
    """The parcel's breaks by date; the same change seen in another index, or warned of before, is one break.

    Breaks of its pixels leave those of its mean aside: they date and place a change better. What has an alert is told
    with the alert's name and dates, and is confirmed where the alert is: a page must not call one change two things.
    """
    told = _told(alerts, history)
    records = [{str(name): value for name, value in row.items()} for row in changes.to_dict("records")]
    rows = [(row, s) for row, s in zip(records, statuses, strict=True) if s in _BROKEN]
    of_pixels = [(row, s) for row, s in rows if row["level"] == "pixels"]
    new = [b for row, s in of_pixels or (rows if by_mean else []) if (b := _break(row, s, told)) is not None]
    found: list[Break] = []
    for one in sorted(new, key=lambda b: (not b.has_alert, not b.confirmed)):
        same = [known for known in found if _same_change(known, one)]
        if not same or (one.has_alert and all(_span(known) != _span(one) for known in same)):
            found.append(one)
    return tuple(sorted(found, key=_span))


_Told = dict[tuple[dt.date | None, dt.date | None, dt.date | None], tuple[str, bool, bool]]
"""By first, last and day of detection of a change: its name, whether it is confirmed, whether there is an alert."""


def _told(alerts: Sequence[Alert], history: Sequence[Mapping[str, Any]]) -> _Told:
    told: _Told = {
        (day_of(row["from"]), day_of(row["to"]), day_of(row["detected_on"])): (
            str(row["kind"]),
            bool(row["certainty"] == "confirmed"),
            False,
        )
        for row in history
    }
    told |= {(a.last_clear_before, a.first_clear_after, a.detected_on): (a.rule, not is_early(a), True) for a in alerts}
    return told


def is_early(alert: Alert) -> bool:
    """Whether an alert is an early warning, which later looks confirm or not."""
    return alert.evidence.get("operating_point") == "early_warning"


def ended_on(alert: Alert) -> dt.date | None:
    """Day by which what an alert tells was over or had recovered; None where it lasts or nobody can tell."""
    return day_of(alert.evidence.get("recovered_on"))


REGROWS = frozenset({"stand_loss", "stand_decline"})
"""Changes whose end is that plants come up again: the stand is lost all the same."""


def is_green(kind: str | None, index: str = "") -> bool:
    """Whether the end of a change is green plants coming up, and not the end of what happened."""
    return kind in REGROWS if kind else "ndvi" in index.split("+")


def _break(row: Mapping[str, Any], status: str, told: _Told) -> Break | None:
    before, after, detected = (day_of(row[name]) for name in ("last_clear_before", "first_clear_after", "detected_on"))
    if before is None or after is None:
        return None
    kind, confirmed, has_alert = told.get((before, after, detected), (None, status == "confirmed", False))
    return Break(
        last_clear_before=before,
        first_clear_after=after,
        detected_on=detected if confirmed else None,
        recovered_on=day_of(row["recovered_on"]),
        confirmed=confirmed,
        of_mean=row["level"] != "pixels",
        index=str(row["index"]),
        kind=kind,
        has_alert=has_alert,
    )


def _span(found: Break) -> tuple[dt.date, dt.date]:
    return found.last_clear_before, found.first_clear_after


def _same_change(one: Break, other: Break) -> bool:
    """Whether two intervals overlap."""
    return one.last_clear_before < other.first_clear_after and other.last_clear_before < one.first_clear_after


def _years(yearly: pd.DataFrame, judged: bool) -> tuple[Year, ...]:
    """The calendar years; figures only where the parcel is judged and was seen that year."""
    years = []
    for row in yearly.sort_values("year").to_dict("records"):
        looks = int(number_of(row["n_looks"]) or 0)
        seen = judged and looks > 0
        years.append(
            Year(
                year=int(row["year"]),
                living_frac=number_of(row["living_share"]) if seen else None,
                disturbed_m2=number_of(row["disturbed_m2"]) if seen else None,
                n_looks=looks,
            )
        )
    return tuple(years)


def _living(row: Mapping[str, Any], years: tuple[Year, ...]) -> float | None:
    """The column where the asset class gives one, else the latest year that could be told."""
    if LIVING_COLUMN in row:
        return number_of(row[LIVING_COLUMN])
    known = [year.living_frac for year in years if year.living_frac is not None]
    return known[-1] if known else None


def _disturbed(row: Mapping[str, Any], years: tuple[Year, ...]) -> float | None:
    """The column where the asset class gives one, else the sum over the years that could be told."""
    if DISTURBED_COLUMN in row:
        return number_of(row[DISTURBED_COLUMN])
    known = [year.disturbed_m2 for year in years if year.disturbed_m2 is not None]
    return sum(known) if known else None


def _disturbed_range(row: Mapping[str, Any]) -> tuple[float, float] | None:
    low, high = (number_of(row.get(name)) for name in DISTURBED_RANGE)
    return None if low is None or high is None or high <= low else (low, high)


def _living_range(row: Mapping[str, Any], checks: Sequence[Check]) -> tuple[float, float] | None:
    for check in checks:
        if check.claim == "living" and check.low is not None and check.high is not None:
            return check.low, check.high
    living, lost, area = (number_of(row.get(name)) for name in (LIVING_COLUMN, DISTURBED_COLUMN, "obs_area_m2"))
    bounds = _disturbed_range(row)
    # What is green again is no loss of today: then the one does not follow from the other.
    if bounds is None or not area or living is None or lost is None or abs(1 - lost / area - living) > SAME_SHARE:
        return None
    return max(living - (bounds[1] - lost) / area, 0.0), min(living + (lost - bounds[0]) / area, 1.0)


def _figures(row: Mapping[str, Any]) -> tuple[Figure, ...]:
    return tuple(
        Figure(
            column=column,
            value=row[column],
            low=number_of(row.get(_end(column, "low"))),
            high=number_of(row.get(_end(column, "high"))),
        )
        for column in FIGURE_COLUMNS
        if _text(row.get(column)) is not None
        and not (column in ONLY_WHERE_SOME and row[column] < 0.01)
        and not (column == "obs_progress_frac" and row.get("obs_status") == "demolished")  # of what is gone
    )


def _end(column: str, end: str) -> str:
    """Column of one end of a figure's range: ``obs_built_m2`` has ``obs_built_low_m2``."""
    stem, _, unit = column.rpartition("_")
    return f"{stem}_{end}_{unit}"


def _value(row: Mapping[str, Any]) -> Interval | None:
    low, middle, high = (number_of(row[name]) for name in ("val_p05", "val_p50", "val_p95"))
    if low is None or middle is None or high is None:
        return None
    return Interval(low=low, middle=middle, high=high, currency=_text(row["val_currency"]))
