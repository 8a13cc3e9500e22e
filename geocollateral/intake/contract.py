"""The parcel contract: every column a file of parcels may have.

`COLUMNS` is the one place. Validation works from it, and the table in ``aoi/README.md`` is made of it by
`contract_table`; a test keeps the two equal.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from geocollateral.intake.currencies import CURRENCIES
from geocollateral.types import ASSET_CLASSES, MU_M2

ColumnType = Literal["text", "choice", "number", "integer", "date", "currency"]
Value = str | float | int | dt.date

STAGES = ("planned", "site_cleared", "foundations", "structure", "complete", "operating")
AREA_UNITS: Mapping[str, float] = {"claim_area_m2": 1.0, "claim_area_mu": MU_M2, "claim_area_ha": 1e4}
"""Claimed area columns and their unit [m2]; a parcel gives at most one."""
OWN_PREFIXES = ("claim_", "loan_")
"""Prefixes of columns that are checked; a name under them that is not in the contract is a slip of the pen."""
MAX_TEXT = 200
MAX_ID = 64

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00:00(?:\.0+)?(?:Z|\+00:00)?)?")
"""A day; midnight after it is what GIS programs write of a date that they hold as a time."""


class ContractFault(Exception):
    """Why a value is refused: what was expected."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the contract."""

    name: str
    type: ColumnType
    unit: str = ""
    required: bool = False
    default: str = ""
    """What an absent value means, in words."""
    meaning: str
    low: float | None = None
    """Least value allowed, or the value that must be exceeded where `low_open`."""
    low_open: bool = False
    high: float | None = None
    choices: tuple[str, ...] = ()
    classes: tuple[str, ...] = ASSET_CLASSES
    """Asset classes whose parcels may use it; elsewhere it is not checked, and a warning says so."""

    @property
    def bounds(self) -> str:
        """Bounds in words."""
        if self.choices:
            return " / ".join(self.choices)
        if self.low is None:
            return ""
        least = f"> {self.low:g}" if self.low_open else f">= {self.low:g}"
        return least if self.high is None else f"{least}, <= {self.high:g}"


_BUILT = ("solar", "wind", "construction")

COLUMNS: tuple[Column, ...] = (
    Column(
        name="parcel_id",
        type="text",
        default="the feature's `id`, else numbered `p001` and on, with a note",
        meaning="Name of the parcel, unique in the file; letters of any script, at most 64.",
    ),
    Column(
        name="asset_class",
        type="choice",
        required=True,
        choices=ASSET_CLASSES,
        meaning="What is pledged on the parcel. Case does not matter.",
    ),
    Column(
        name="claim_area_mu",
        type="number",
        unit="mu",
        low=0,
        low_open=True,
        high=1.5e6,
        meaning="Area by deed or application, in mu (1 mu = 2000/3 m2). At most one of the three areas.",
    ),
    Column(
        name="claim_area_m2",
        type="number",
        unit="m2",
        low=0,
        low_open=True,
        high=1e9,
        default="computed from `claim_area_mu` or `claim_area_ha` where one is given",
        meaning="The same in square metres.",
    ),
    Column(
        name="claim_area_ha",
        type="number",
        unit="ha",
        low=0,
        low_open=True,
        high=1e5,
        meaning="The same in hectares.",
    ),
    Column(
        name="claim_use", type="text", meaning="What the borrower says the land is used for, such as a crop or species."
    ),
    Column(
        name="claim_planted_on",
        type="date",
        classes=("agriculture", "forestry"),
        meaning="Day on which the present crop or stand was planted.",
    ),
    Column(
        name="claim_living_share_frac",
        type="number",
        unit="0-1",
        low=0,
        high=1,
        classes=("forestry", "agriculture"),
        meaning="Share of the parcel under living stand or standing crop.",
    ),
    Column(
        name="claim_volume_m3",
        type="number",
        unit="m3",
        low=0,
        high=1e8,
        classes=("forestry",),
        meaning="Standing timber.",
    ),
    Column(
        name="claim_capacity_mw",
        type="number",
        unit="MW",
        low=0,
        low_open=True,
        high=1e5,
        classes=("solar", "wind"),
        meaning="Installed capacity; for solar at the modules (peak).",
    ),
    Column(
        name="claim_turbine_count",
        type="integer",
        unit="1",
        low=1,
        high=10_000,
        classes=("wind",),
        meaning="Number of turbines on the parcel.",
    ),
    Column(
        name="claim_commissioned_on",
        type="date",
        classes=("solar", "wind"),
        meaning="Day from which the plant feeds into the grid.",
    ),
    Column(
        name="claim_stage",
        type="choice",
        choices=STAGES,
        classes=_BUILT,
        meaning="How far building has come.",
    ),
    Column(
        name="claim_progress_frac",
        type="number",
        unit="0-1",
        low=0,
        high=1,
        classes=_BUILT,
        meaning="Share of the works that is done.",
    ),
    Column(
        name="claim_start_on",
        type="date",
        classes=("construction",),
        meaning="Day on which works are planned to start.",
    ),
    Column(
        name="claim_complete_on",
        type="date",
        classes=("construction",),
        meaning="Day on which works are planned to be complete.",
    ),
    Column(
        name="claim_floor_area_m2",
        type="number",
        unit="m2",
        low=0,
        low_open=True,
        high=1e8,
        classes=("construction",),
        meaning="Gross floor area when complete.",
    ),
    Column(
        name="claim_water_share_frac",
        type="number",
        unit="0-1",
        low=0,
        high=1,
        classes=("aquaculture",),
        meaning="Share of the parcel that is pond or raft area in use.",
    ),
    Column(
        name="loan_id", type="text", meaning="Loan that the parcel secures; parcels of one loan repeat its columns."
    ),
    Column(name="loan_borrower_id", type="text", meaning="Borrower, under the lender's own key."),
    Column(
        name="loan_branch",
        type="text",
        default="that of the registry, where the file is a project of it",
        meaning="Branch of the lender that the loan is of.",
    ),
    Column(
        name="loan_outstanding",
        type="number",
        unit="`loan_currency`",
        low=0,
        high=1e13,
        meaning="Principal outstanding of the whole loan. Needs `loan_currency`.",
    ),
    Column(name="loan_currency", type="currency", unit="ISO 4217", meaning="Currency of the loan, such as `CNY`."),
    Column(name="loan_maturity", type="date", meaning="Day on which the loan falls due."),
    Column(
        name="loan_amount",
        type="number",
        unit="`loan_currency`",
        low=0,
        high=1e13,
        meaning="Amount of the whole loan when it was made. Needs `loan_currency`.",
    ),
    Column(name="loan_start", type="date", meaning="Day from which the loan runs."),
    Column(
        name="loan_pledged_from",
        type="date",
        default="`loan_start`, else the day on which the registry learns of the parcel",
        meaning="First day on which this parcel is pledged.",
    ),
    Column(
        name="loan_pledged_to",
        type="date",
        default="pledged until it is released, also after the loan fell due",
        meaning="First day on which the pledge of this parcel is over.",
    ),
    Column(
        name="loan_property_kind",
        type="choice",
        choices=("commercial", "residential"),
        meaning="Kind of property for CRR Articles 208 and 229; land, plants and works are commercial.",
    ),
    Column(
        name="loan_valued_on",
        type="date",
        meaning="Day of the last value of this parcel by an independent valuer.",
    ),
    Column(
        name="loan_value",
        type="number",
        unit="`loan_currency`",
        low=0,
        low_open=True,
        high=1e13,
        meaning="That value. Needs `loan_currency`; held against the cap of Article 229(1)(e), never told to a model.",
    ),
    Column(
        name="loan_value_at_start",
        type="number",
        unit="`loan_currency`",
        low=0,
        low_open=True,
        high=1e13,
        meaning="Value of this parcel when the loan was made, on `loan_start`. Needs `loan_currency`.",
    ),
    Column(
        name="loan_value_history",
        type="text",
        unit="`loan_currency`",
        meaning="Values before the last one, at equal intervals: `2020-06-30=1200000; 2021-06-30=1250000`.",
    ),
)
CONTRACT: Mapping[str, Column] = {column.name: column for column in COLUMNS}
LOAN_FACTS = (
    "loan_borrower_id",
    "loan_branch",
    "loan_outstanding",
    "loan_currency",
    "loan_maturity",
    "loan_amount",
    "loan_start",
)
"""Columns that must not differ between parcels of one loan."""


MONEY = ("loan_outstanding", "loan_amount", "loan_value", "loan_value_at_start", "loan_value_history")
"""Columns that need ``loan_currency``."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The properties of one feature, sorted by the contract."""

    values: Mapping[str, Value]
    """By column of the contract (without ``parcel_id``); absent ones are left out."""
    extra: Mapping[str, object]
    """The user's own columns, each under ``user_``; nested values as JSON text."""
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def check_row(properties: Mapping[str, object]) -> Row:
    """Sort and check the properties of one feature."""
    values: dict[str, Value] = {}
    extra: dict[str, object] = {}
    faults: list[str] = []
    for name, value in properties.items():
        if name == "parcel_id":
            continue
        if name in CONTRACT:
            _take(CONTRACT[name], value, values, faults)
        elif name.lower().startswith(OWN_PREFIXES) or name.lower() in CONTRACT:
            faults.append(explain_unknown(name))
        else:
            _keep(name, value, extra, faults)
    faults.extend(
        f"expected {column.name}: {column.bounds}; got none"
        for column in COLUMNS
        if column.required and properties.get(column.name) in (None, "")
    )
    faults.extend(_contradictions(values))
    _fill_area(values)
    return Row(values=values, extra=extra, faults=tuple(faults), warnings=tuple(_useless_claims(values)))


def parse_id(value: object) -> str | None:
    """Parcel id from a property or the feature's id; None where there is none.

    Raises
    ------
    ContractFault
        The value cannot be an id.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ContractFault(f"expected parcel_id to be text or a whole number, got {value!r:.60}")
    text = unicodedata.normalize("NFC", str(value)).strip()
    if len(text) > MAX_ID or not _is_printable(text):
        raise ContractFault(f"expected parcel_id of at most {MAX_ID} printable characters, got {value!r:.80}")
    return text or None


def explain_unknown(name: str) -> str:
    """Why a column under one of our prefixes is refused."""
    near = get_close_matches(name.lower(), CONTRACT, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else " Columns of your own must not start with claim_ or loan_."
    return f"column {name!r} is not in the parcel contract.{hint}"


def contract_table() -> str:
    """The contract as a Markdown table."""
    names = ("column", "type", "unit", "required", "if absent", "bounds", "asset classes", "meaning")
    head = f"| {' | '.join(names)} |\n|{'---|' * len(names)}"
    rows = [
        f"| `{c.name}` | {c.type} | {c.unit} | {'yes' if c.required else 'no'} | {c.default} | {c.bounds} | "
        f"{'all' if c.classes == ASSET_CLASSES else ', '.join(c.classes)} | {c.meaning} |"
        for c in COLUMNS
    ]
    return "\n".join([head, *rows])


def _take(column: Column, value: object, values: dict[str, Value], faults: list[str]) -> None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return
    try:
        values[column.name] = _parse(column, value)
    except ContractFault as exc:
        faults.append(f"expected {column.name}: {exc}; got {value!r:.60}")


def _parse(column: Column, value: object) -> Value:
    if column.type in ("number", "integer"):
        return _parse_number(column, value)
    if not isinstance(value, str):
        raise ContractFault({"date": "a date YYYY-MM-DD"}.get(column.type, "text"))
    text = unicodedata.normalize("NFC", value).strip()
    if len(text) > MAX_TEXT or not _is_printable(text):
        raise ContractFault(f"at most {MAX_TEXT} printable characters")
    if column.type == "choice":
        if text.lower() not in column.choices:
            raise ContractFault(f"one of {', '.join(column.choices)}")
        return text.lower()
    if column.type == "currency":
        if text.upper() not in CURRENCIES:
            raise ContractFault("a currency of ISO 4217 such as CNY")
        return text.upper()
    return _parse_date(text) if column.type == "date" else text


def _parse_number(column: Column, value: object) -> float | int:
    whole = column.type == "integer"
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise ContractFault("a whole number" if whole else "a number, not text")
    if whole and value != int(value):
        raise ContractFault("a whole number")
    low_ok = column.low is None or (value > column.low if column.low_open else value >= column.low)
    if not low_ok or (column.high is not None and value > column.high):
        percent = " (a share, not a percentage)" if column.unit == "0-1" else ""
        raise ContractFault(f"a number {column.bounds}{percent}")
    return int(value) if whole else float(value)


def _parse_date(text: str) -> dt.date:
    try:
        written = _DATE.fullmatch(text)
        day = dt.date.fromisoformat(written[1]) if written else None
    except ValueError:
        day = None
    if day is None or not 1900 <= day.year <= 2200:
        raise ContractFault("a date YYYY-MM-DD between 1900 and 2200")
    return day


def _keep(name: str, value: object, extra: dict[str, object], faults: list[str]) -> None:
    key = name if name.startswith("user_") else f"user_{name}"
    if key in extra:
        faults.append(f"columns {name!r} and {key!r} would both become {key!r}; rename one of them")
    elif isinstance(value, float) and not math.isfinite(value):
        faults.append(f"expected property {name!r} to be finite, got {value}")
    else:
        extra[key] = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _contradictions(values: Mapping[str, Value]) -> list[str]:
    faults = []
    areas = [name for name in AREA_UNITS if name in values]
    if len(areas) > 1:
        faults.append(f"expected at most one claimed area, got {', '.join(areas)}; keep the one of the deed")
    if "loan_currency" not in values:
        money = [name for name in MONEY if name in values]
        faults += [f"expected loan_currency beside {name}, such as CNY; got none" for name in money]
    try:
        parse_values(str(values.get("loan_value_history", "")))
    except ContractFault as exc:
        faults.append(f"expected loan_value_history: {exc}")
    first, last = values.get("loan_pledged_from", values.get("loan_start")), values.get("loan_pledged_to")
    if isinstance(first, dt.date) and isinstance(last, dt.date) and last <= first:
        faults.append(f"expected loan_pledged_to after the first day of the pledge, {first}; got {last}")
    return faults


def parse_values(text: str) -> list[tuple[dt.date, float]]:
    """Days and values of ``loan_value_history``, as they stand.

    Raises
    ------
    ContractFault
        It is not written as the contract says.
    """
    found = []
    for part in (part.strip() for part in text.split(";") if part.strip()):
        day, sign, number = (piece.strip() for piece in part.partition("="))
        if not sign or not re.fullmatch(r"\d{1,13}(\.\d{1,4})?", number) or float(number) <= 0:
            raise ContractFault(f"values such as 2020-06-30=1200000; 2021-06-30=1250000, got {part!r:.60}")
        found.append((_parse_date(day), float(number)))
    return found


def _fill_area(values: dict[str, Value]) -> None:
    for name, unit_m2 in AREA_UNITS.items():
        if name in values:
            values.setdefault("claim_area_m2", float(values[name]) * unit_m2)  # type: ignore[arg-type]


def _useless_claims(values: Mapping[str, Value]) -> list[str]:
    asset_class = values.get("asset_class")
    return [
        f"{name} says nothing about the asset class {asset_class!r} and is not checked"
        for name in values
        if asset_class is not None and asset_class not in CONTRACT[name].classes
    ]


def _is_printable(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text)
