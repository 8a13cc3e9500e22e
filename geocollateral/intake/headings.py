"""How people head their columns, in Chinese and English, and which column of the parcel contract is meant.

`HEADINGS` is the one place, for all formats. The table in ``docs/intake.md`` is made of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

AREA = "claim_area"
"""Stands for the three columns of claimed area; the unit in the heading says which."""
SHARES = ("claim_living_share_frac", "claim_progress_frac", "claim_water_share_frac")
AMOUNTS = ("loan_outstanding", "loan_amount")


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Names under which a column of the contract is found, the preferred first."""

    column: str
    names: tuple[str, ...]
    needs_unit: bool = False
    """The heading must name its unit: without one the column is kept as the user's own, with a warning."""


def _heading(column: str, names: str, *, needs_unit: bool = False) -> Heading:
    return Heading(column=column, names=tuple(name.strip() for name in names.split(",")), needs_unit=needs_unit)


HEADINGS: tuple[Heading, ...] = (
    _heading(
        "parcel_id",
        "地块编号, 地块编码, 地块代码, 地块号, 宗地编号, 宗地代码, 宗地号, 不动产单元号, 图斑编号, 图斑号, 小班号, "
        "编号, parcel, parcel no, parcel number, plot id, plot no, field id",
    ),
    _heading("asset_class", "资产类别, 资产类型, 押品类型, 抵押物类型, 抵押物类别, asset type, collateral type"),
    _heading(
        AREA,
        "确权面积, 证载面积, 登记面积, 合同面积, 承包面积, 抵押面积, 申报面积, 地块面积, 宗地面积, 面积, "
        "claimed area, deed area, area",
        needs_unit=True,
    ),
    _heading(
        "claim_use",
        "作物, 作物名称, 作物类型, 种植作物, 优势树种, 树种, 养殖品种, 品种, 土地用途, 地块用途, "
        "crop, crop type, species, land use",
    ),
    _heading("claim_planted_on", "种植日期, 播种日期, 造林日期, 栽植日期, planted on, planting date, sowing date"),
    _heading("claim_living_share_frac", "成活率, 保存率, living share, survival rate"),
    _heading("claim_volume_m3", "蓄积量, 活立木蓄积, 林木蓄积, 立木蓄积, timber volume", needs_unit=True),
    _heading("claim_capacity_mw", "装机容量, installed capacity, capacity", needs_unit=True),
    _heading("claim_turbine_count", "风机数量, 风机台数, turbines, turbine count"),
    _heading("claim_commissioned_on", "并网日期, 投产日期, 投运日期, commissioned on, commissioning date"),
    _heading("claim_stage", "工程阶段, 建设阶段, 施工阶段, construction stage"),
    _heading("claim_progress_frac", "工程进度, 施工进度, 完工比例, 完成率, construction progress"),
    _heading("claim_floor_area_m2", "总建筑面积, 建筑面积, floor area", needs_unit=True),
    _heading("claim_water_share_frac", "水面比例, 水面率, water share"),
    _heading("loan_id", "贷款编号, 贷款号, 借据编号, 借据号, 借款合同编号, 贷款合同编号, loan no, loan number"),
    _heading(
        "loan_borrower_id", "客户编号, 客户号, 借款人编号, 借款人, 借款人名称, borrower id, borrower no, borrower"
    ),
    _heading("loan_outstanding", "贷款余额, 未偿余额, 本金余额, loan balance, outstanding balance, outstanding"),
    _heading("loan_currency", "币种, 货币, currency"),
    _heading(
        "loan_maturity",
        "到期日, 到期日期, 贷款到期日, 贷款到期日期, 借款到期日, maturity, maturity date, due date",
    ),
    _heading(
        "loan_amount",
        "贷款金额, 放款金额, 发放金额, 借款金额, 借据金额, 贷款本金, loan amount, loan principal",
    ),
    _heading(
        "loan_start",
        "放款日, 放款日期, 起息日, 起息日期, 发放日, 发放日期, 贷款发放日, 贷款发放日期, 贷款起始日, 借款起始日, "
        "loan start, disbursement date",
    ),
    _heading(
        "loan_pledged_from",
        "抵押起始日, 抵押起始日期, 抵押登记日, 抵押登记日期, 抵押日期, 抵押权设立日期, 抵押开始日期, "
        "pledged from, pledge date, mortgage date",
    ),
    _heading(
        "loan_pledged_to",
        "解押日, 解押日期, 解除抵押日期, 抵押注销日期, 抵押到期日, 抵押到期日期, 抵押终止日, 抵押终止日期, "
        "抵押截止日, 抵押截止日期, pledged to, release date",
    ),
)
LONGITUDE = ("经度", "东经", "lon", "lng", "long", "longitude", "东坐标", "横坐标", "easting")
LATITUDE = ("纬度", "北纬", "lat", "latitude", "北坐标", "纵坐标", "northing")
OUTLINE = ("wkt", "geometry", "geom", "the geom", "几何", "坐标串", "wkt geometry")
ORDER = (
    "点号",
    "点序",
    "序号",
    "顶点",
    "顶点号",
    "界址点号",
    "拐点号",
    "order",
    "vertex",
    "vertex no",
    "seq",
    "point",
    "point no",
)

_UNITS: tuple[tuple[str, str, str, float], ...] = (
    (AREA, "claim_area_mu", "亩 mu 市亩", 1.0),
    (AREA, "claim_area_mu", "万亩", 1e4),
    (AREA, "claim_area_ha", "公顷 ha hectare hectares", 1.0),
    (AREA, "claim_area_m2", "m2 平方米 平米 sqm", 1.0),
    (AREA, "claim_area_m2", "平方公里 km2", 1e6),
    (AREA, "claim_area_m2", "acre acres", 4046.8564224),
    ("claim_volume_m3", "claim_volume_m3", "m3 立方米", 1.0),
    ("claim_volume_m3", "claim_volume_m3", "万立方米", 1e4),
    ("claim_capacity_mw", "claim_capacity_mw", "mw 兆瓦 mwp", 1.0),
    ("claim_capacity_mw", "claim_capacity_mw", "kw 千瓦 kwp", 1e-3),
    ("claim_capacity_mw", "claim_capacity_mw", "万千瓦", 10.0),
    ("claim_floor_area_m2", "claim_floor_area_m2", "m2 平方米 平米", 1.0),
    ("claim_floor_area_m2", "claim_floor_area_m2", "万平方米", 1e4),
    *((sum_of, sum_of, "元 人民币 人民币元 cny", 1.0) for sum_of in AMOUNTS),
    *((sum_of, sum_of, "万元", 1e4) for sum_of in AMOUNTS),
    *((sum_of, sum_of, "亿元", 1e8) for sum_of in AMOUNTS),
    *((share, share, "%", 0.01) for share in SHARES),
    *((share, share, "0-1", 1.0) for share in SHARES),
)
"""Heading, column it leads to, units, and the factor from them to the unit of the column."""
UNITS: Mapping[str, Mapping[str, tuple[str, float]]] = {
    heading: {
        unit: (column, factor) for first, column, units, factor in _UNITS if first == heading for unit in units.split()
    }
    for heading in dict.fromkeys(heading for heading, *_ in _UNITS)
}
"""Units by heading, each with the column it leads to and the factor to that column's unit."""
TERMS = tuple(f"抵押{end}{day}" for end in ("到期", "终止", "截止") for day in ("日", "日期"))
"""Headings of a term, on which a pledge is meant to end: it holds on where it was not released."""
IMPLIED_CURRENCY = "CNY"
"""Of amounts in 元, 万元, 亿元."""
WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "asset_class": {
        "agriculture": ("农业", "农田", "耕地", "种植业", "农作物", "果园"),
        "forestry": ("林业", "森林", "林地", "林木", "经济林"),
        "solar": ("光伏", "光伏电站", "太阳能"),
        "wind": ("风电", "风电场", "风力发电"),
        "construction": ("在建工程", "建设用地", "建筑工地", "房地产在建"),
        "aquaculture": ("水产养殖", "养殖", "鱼塘", "水产"),
    },
    "claim_stage": {
        "planned": ("规划", "拟建", "未开工"),
        "site_cleared": ("场地平整", "三通一平"),
        "foundations": ("基础施工", "地基", "基础"),
        "structure": ("主体施工", "主体结构", "主体"),
        "complete": ("竣工", "完工", "已完工"),
        "operating": ("运营", "运行", "已投运", "投产"),
    },
    "loan_currency": {
        "CNY": ("人民币", "人民币元", "元", "rmb"),
        "USD": ("美元",),
        "EUR": ("欧元",),
        "HKD": ("港币", "港元"),
    },
}
"""Values of choices in Chinese."""

_UNIT = re.compile(r"^(?P<name>.+?)\s*(?:[(\[【<](?P<unit>[^()\[\]【】<>]{1,12})[)\]】>]|[/／](?P<slash>[^/]{1,8}))$")
_LINE = re.compile(r"^\s*([^:：=<>{}]{1,40}?)\s*[:：=]\s*(\S.{0,199})$")


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a heading stands for."""

    column: str
    """Of the contract; or `AREA` and other headings that need a unit which is not there."""
    rank: int
    """Place among the names of its column: the lowest is preferred."""
    unit: str | None
    factor: float
    is_clear: bool
    """False where the unit is missing or not known."""


def plain(heading: str) -> str:
    """A heading without case, spaces, underscores and dashes; full-width signs as plain ones."""
    text = unicodedata.normalize("NFKC", heading).replace("²", "2").replace("³", "3").replace("㎡", "m2")
    return re.sub(r"[\s_\-]+", "", text).casefold()


_BY_NAME: Mapping[str, tuple[Heading, int]] = {
    plain(name): (heading, rank) for heading in HEADINGS for rank, name in enumerate(heading.names)
}


def understand(heading: str) -> Meaning | None:
    """What a heading means in the contract; None where it is the user's own."""
    name, unit = _split_unit(heading)
    if plain(name) not in _BY_NAME:
        name, unit = _split_trailing_unit(plain(heading))
    if plain(name) not in _BY_NAME:
        return None
    entry, rank = _BY_NAME[plain(name)]
    if unit is None:
        return Meaning(column=entry.column, rank=rank, unit=None, factor=1.0, is_clear=not entry.needs_unit)
    column, factor = UNITS.get(entry.column, {}).get(plain(unit), (entry.column, 1.0))
    known = plain(unit) in UNITS.get(entry.column, {})
    return Meaning(column=column, rank=rank, unit=unit, factor=factor, is_clear=known)


def is_one_of(heading: str, names: tuple[str, ...]) -> bool:
    """Whether a heading is one of some names, whatever its case and spacing."""
    return plain(_split_unit(heading)[0]) in {plain(name) for name in names}


def lines_of_values(text: str) -> dict[str, str]:
    """Lines ``name: value`` of a free text whose name is one of the contract or of `HEADINGS`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and is_known(match[1]):
            found[match[1].strip()] = match[2].strip()
    return found


def is_known(heading: str) -> bool:
    """Whether a heading stands for a column of the contract, by its own name or by one of ours."""
    own = heading.strip()
    return own in ("parcel_id", "asset_class") or own.startswith(("claim_", "loan_")) or understand(own) is not None


def headings_table() -> str:
    """The headings as a Markdown table."""
    rows = ["| column of the contract | headings understood | units in the heading |", "|---|---|---|"]
    for heading in HEADINGS:
        units = UNITS.get(heading.column, {})
        shown = ", ".join(units) + (" (required)" if heading.needs_unit else "")
        column = "claim_area_mu`, `claim_area_ha`, `claim_area_m2" if heading.column == AREA else heading.column
        rows.append(f"| `{column}` | {', '.join(heading.names)} | {shown if units else ''} |")
    return "\n".join(rows)


def words_table() -> str:
    """The values understood in Chinese as a Markdown table."""
    rows = ["| column | value | written as |", "|---|---|---|"]
    for column, values in WORDS.items():
        rows.extend(f"| `{column}` | `{value}` | {', '.join(words)} |" for value, words in values.items())
    return "\n".join(rows)


def _split_unit(heading: str) -> tuple[str, str | None]:
    text = unicodedata.normalize("NFKC", heading).strip()
    found = _UNIT.match(text)
    return (found["name"], (found["unit"] or found["slash"]).strip()) if found else (text, None)


def _split_trailing_unit(name: str) -> tuple[str, str | None]:
    """``面积亩`` and ``area_ha``: the longest unit that ends a plain heading and leaves a known one."""
    endings = sorted({unit for units in UNITS.values() for unit in units}, key=len, reverse=True)
    for unit in endings:
        rest = name.removesuffix(plain(unit))
        if rest != name and rest in _BY_NAME and plain(unit) in UNITS.get(_BY_NAME[rest][0].column, {}):
            return rest, unit
    return name, None
