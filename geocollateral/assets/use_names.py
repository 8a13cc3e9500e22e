"""Uses and crops as people write them, in Chinese or English, and the groups of uses that would bear them out.

Names follow the Hierarchical Crop and Agriculture Taxonomy of EuroCrops (Schneider et al. 2023,
doi:10.1038/s41597-023-02517-0) and the Indicative Crop Classification of FAO (version 1.1), as far as these have the
crop. What fits is a group, not the crop: maize, soybean, cotton and peanut are all one summer crop to a satellite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from geocollateral.assets.land_use import Group

Kind = Literal[
    "winter", "wheat", "rape", "summer", "rice", "double_rice", "vegetables", "greenhouse", "orchard", "tea", "grass",
    "fallow", "conifer", "deciduous", "evergreen", "broadleaf", "forest", "pond", "built", "long",
]  # fmt: skip
"""What a word says of the use: of crops, the season and the water it needs."""

WORDS: Mapping[Kind, tuple[str, ...]] = {
    "winter": (
        "winter wheat", "winter barley", "winter rye", "winter cereal", "winter crop", "triticale", "garlic",
        "冬小麦", "冬麦", "大麦", "冬大麦", "黑麦", "大蒜", "蚕豆", "冬作",
    ),
    "wheat": ("wheat", "barley", "rye", "oat", "oats", "cereal", "小麦", "燕麦", "麦"),
    "rape": ("rapeseed", "oilseed rape", "winter rape", "rape", "canola", "colza", "油菜", "油菜籽"),
    "summer": (
        "summer maize", "spring maize", "maize", "corn", "soybean", "soya", "soy", "cotton", "peanut", "groundnut",
        "sunflower", "sorghum", "millet", "potato", "potatoes", "sweet potato", "sugar beet", "beet", "sesame",
        "tobacco", "upland rice", "spring wheat", "spring barley", "buckwheat", "summer crop", "玉米", "夏玉米",
        "春玉米", "青贮玉米", "大豆", "黄豆", "棉花", "花生", "向日葵", "葵花", "高粱", "谷子", "小米", "马铃薯",
        "土豆", "红薯", "甘薯", "地瓜", "甜菜", "芝麻", "烟草", "烤烟", "旱稻", "陆稻", "春小麦", "荞麦", "绿豆",
    ),
    "rice": ("paddy rice", "paddy", "rice", "水稻", "稻", "稻谷", "中稻", "一季稻", "单季稻", "早稻", "晚稻", "粳稻"),
    "double_rice": (
        "double rice", "double cropping rice", "early and late rice", "双季稻", "早稻和晚稻", "早晚稻", "早稻晚稻",
        "早稻-晚稻", "早稻、晚稻", "早稻+晚稻", "早稻/晚稻",
    ),
    "vegetables": (
        "vegetables", "vegetable", "market garden", "cabbage",
        "lettuce", "spinach", "蔬菜", "菜地", "露地蔬菜", "白菜",
        "青菜", "菜田",
    ),
    "greenhouse": (
        "greenhouse vegetables", "greenhouse", "glasshouse", "polytunnel", "plastic tunnel", "protected cultivation",
        "大棚", "温室", "大棚蔬菜", "温室大棚", "设施农业", "设施蔬菜", "设施栽培", "日光温室",
    ),
    "orchard": (
        "orchard", "fruit trees", "fruit tree", "apple", "apples", "pear", "peach", "citrus", "orange", "vineyard",
        "grapes", "olive", "almond", "walnut", "kiwifruit",
        "mulberry", "果园", "果树", "苹果", "梨", "桃", "柑橘", "柑桔",
        "橙", "脐橙", "柚", "葡萄", "葡萄园", "猕猴桃", "樱桃", "枣", "核桃", "板栗", "荔枝", "龙眼", "芒果", "茶油",
        "油茶", "桑", "桑园", "枸杞", "花椒",
    ),
    "tea": ("tea", "tea garden", "tea plantation", "coffee", "茶园", "茶叶", "茶", "咖啡"),
    "grass": (
        "pasture", "grassland", "grass", "meadow", "hay",
        "alfalfa", "lucerne", "clover", "fodder grass", "草地", "牧草",
        "草场", "草原", "苜蓿", "牧场", "人工草地",
    ),
    "fallow": ("none", "fallow", "idle", "unused", "abandoned", "撂荒", "闲置", "休耕", "荒地", "抛荒", "弃耕", "无"),
    "conifer": (
        "conifers", "conifer", "coniferous", "pine", "fir", "spruce", "cedar", "cypress", "needleleaf", "杉木", "杉",
        "松", "马尾松", "油松", "樟子松", "云杉", "冷杉", "柏", "柏木", "针叶林", "湿地松", "红松", "水杉木",
    ),
    "deciduous": (
        "deciduous trees", "deciduous", "poplar", "birch", "oak",
        "willow", "larch", "beech", "ash", "paulownia", "杨树",
        "杨", "桦", "白桦", "栎", "柳", "落叶松", "水杉", "槐", "刺槐", "泡桐", "落叶阔叶林", "榆",
    ),
    "evergreen": (
        "broadleaved evergreen trees", "evergreen broadleaved trees", "evergreen trees", "evergreen", "eucalyptus",
        "bamboo", "moso bamboo", "camphor", "acacia", "桉树", "桉", "毛竹", "竹", "竹林", "樟", "香樟", "常绿阔叶林",
        "木荷",
    ),
    "broadleaf": ("broadleaved trees", "broadleaved", "broadleaf",
        "hardwood", "rubber", "teak", "阔叶林", "阔叶树", "橡胶",
                  "橡胶树"),
    "forest": ("forest", "timber", "wood", "woodland", "trees",
        "plantation forest", "林地", "森林", "用材林", "人工林",
               "公益林", "乔木", "混交林", "针阔混交林"),
    "pond": (
        "fish pond", "fish ponds", "crab ponds", "shrimp pond",
        "shrimp ponds", "pond", "ponds", "aquaculture", "fish",
        "shrimp", "crab", "crabs", "crayfish", "reservoir",
        "鱼塘", "虾塘", "蟹塘", "池塘", "养殖", "水产", "水产养殖", "鱼",
        "虾", "蟹", "水面", "小龙虾",
    ),
    "built": ("industrial buildings", "buildings", "building", "residential", "factory", "warehouse", "厂房", "建筑",
              "住宅", "仓库", "建设用地"),
    "long": ("sugarcane", "sugar cane", "cassava", "banana",
        "pineapple", "ginseng", "hops", "甘蔗", "木薯", "香蕉", "菠萝",
             "人参", "中药材", "药材", "苗木", "花卉"),
}  # fmt: skip
"""Words by kind; of overlapping words the longest counts."""

SEASONAL: tuple[Kind, ...] = ("winter", "rape", "summer", "rice", "double_rice")
TREES: tuple[Group, ...] = ("deciduous", "evergreen", "conifer")
NOT_CROPPED: tuple[Group, ...] = ("grass", "orchard", "bare_built")


@dataclass(frozen=True, kw_only=True)
class NamedUse:
    """A claimed use that was understood."""

    kinds: tuple[Kind, ...]
    words: tuple[str, ...]
    """The words it was read from, in their order."""
    expected: str
    """What satellites would see of it."""
    fits: frozenset[Group]
    """Groups that bear the claim out."""
    alike: frozenset[Group]
    """Groups that look the same where nobody looked during the bloom."""
    part: frozenset[Group]
    """Groups that neither bear it out nor exclude it."""


def read_use(text: str) -> NamedUse | None:
    """What a claimed use says; None where no word of it is known.

    >>> read_use("小麦-玉米轮作").expected
    'a winter crop and a summer crop a year'
    """
    found = _words(text)
    kinds = tuple(dict.fromkeys(kind for _, kind in found))
    if not kinds:
        return None
    if "greenhouse" in kinds:  # what grows below it is not seen
        kinds = ("greenhouse",)
    seasons = [("winter" if kind == "wheat" else kind) for kind in kinds if kind in (*SEASONAL, "wheat")]
    readings = [SINGLE[kind] for kind in kinds if kind not in (*SEASONAL, "wheat")]
    unique = tuple(dict.fromkeys(seasons))
    if kinds == ("wheat",):
        readings.append(SINGLE["wheat"])
    elif len(unique) == 1:
        readings.append(SINGLE[unique[0]])
    elif unique:
        readings.append(_rotation(frozenset(unique)))
    fits, alike, part = _joined(readings)
    return NamedUse(
        kinds=kinds,
        words=tuple(word for word, _ in found),
        expected=" or ".join(dict.fromkeys(reading[0] for reading in readings)),
        fits=fits,
        alike=alike - fits,
        part=part - fits,
    )


Reading = tuple[str, frozenset[Group], frozenset[Group], frozenset[Group]]


def _reading(expected: str, fits: tuple[Group, ...], alike: tuple[Group, ...], part: tuple[Group, ...]) -> Reading:
    return expected, frozenset(fits), frozenset(alike), frozenset(part)


# A claim of one crop where that crop and another are seen says less than there is: it is neither true nor false.
SINGLE: Mapping[Kind, Reading] = {
    "winter": _reading(
        "a winter crop; which one cannot be told", ("winter_crop",), ("winter_rape",),
        ("winter_summer", "winter_rice", "rape_summer", "rape_rice"),
    ),
    "wheat": _reading(
        "a cereal of winter or spring; which one cannot be told", ("winter_crop", "summer_crop"), ("winter_rape",),
        ("winter_summer", "winter_rice", "rape_summer", "rape_rice"),
    ),
    "rape": _reading(
        "a winter crop with yellow bloom", ("winter_rape",), ("winter_crop",),
        ("rape_summer", "rape_rice", "winter_summer", "winter_rice"),
    ),
    "summer": _reading(
        "a summer crop without flooding; which one cannot be told", ("summer_crop",), (),
        ("winter_summer", "rape_summer", "vegetables"),
    ),
    "rice": _reading("a flooded summer crop", ("rice",), (), ("winter_rice", "rape_rice", "double_rice")),
    "double_rice": _reading("two flooded crops a year", ("double_rice",), (), ()),
    "vegetables": _reading(
        "several short crops a year", ("vegetables",), (),
        ("summer_crop", "winter_crop", "winter_summer", "rape_summer", "greenhouse"),
    ),
    "greenhouse": _reading("a cover of plastic or glass", ("greenhouse",), (), ("bare_built",)),
    "orchard": _reading("trees or shrubs, never tilled", ("orchard",
    "deciduous", "evergreen"), (), ("grass", "conifer")),
    "tea": _reading("shrubs green in winter, never tilled", ("evergreen", "orchard"), (), ("grass", "conifer")),
    "grass": _reading("grass, never tilled", ("grass",), (), ("orchard",)),
    "fallow": _reading("weeds or bare ground without harvests", ("grass", "bare_built"), (), ("orchard",)),
    "conifer": _reading("a dark canopy green in winter", ("conifer",), (), ("evergreen", *NOT_CROPPED)),
    "deciduous": _reading("trees leafless in winter", ("deciduous",), (), NOT_CROPPED),
    "evergreen": _reading("a canopy green in winter", ("evergreen",), (), ("conifer", *NOT_CROPPED)),
    "broadleaf": _reading("a canopy of leaves", ("deciduous", "evergreen"), (), ("conifer", *NOT_CROPPED)),
    "forest": _reading("a closed canopy", TREES, (), NOT_CROPPED),
    "pond": _reading("water", ("water",), (), ()),
    "built": _reading("buildings or paving", ("bare_built",), (), ("greenhouse", "grass")),
    "long": _reading(
        "a crop that this version does not tell from others", (), (),
        ("winter_crop", "summer_crop", "vegetables", "grass", "orchard", "evergreen", "deciduous"),
    ),
}  # fmt: skip
ROTATIONS: Mapping[frozenset[Kind], Reading] = {
    frozenset({"winter", "summer"}): _reading(
        "a winter crop and a summer crop a year", ("winter_summer",), ("rape_summer",), ()
    ),
    frozenset({"rape", "summer"}): _reading(
        "rapeseed and a summer crop a year", ("rape_summer",), ("winter_summer",), ()
    ),
    frozenset({"winter", "rice"}): _reading(
        "a winter crop and a flooded summer crop a year", ("winter_rice",), ("rape_rice",), ()
    ),
    frozenset({"rape", "rice"}): _reading(
        "rapeseed and a flooded summer crop a year", ("rape_rice",), ("winter_rice",), ()
    ),
}


def _rotation(kinds: frozenset[Kind]) -> Reading:
    """Crops that follow one another in a year, or from year to year where no rotation of a year has them."""
    if kinds in ROTATIONS:
        return ROTATIONS[kinds]
    single = [SINGLE[kind] for kind in SEASONAL if kind in kinds]
    pairs = [reading for pair, reading in ROTATIONS.items() if pair < kinds]
    fits, alike, part = _joined([*single, *pairs])
    return " or ".join(reading[0] for reading in single), fits, alike, part


def _joined(readings: Sequence[Reading]) -> tuple[frozenset[Group], frozenset[Group], frozenset[Group]]:
    """Groups that any reading names: what fits, what is alike, what is a part."""
    fits = frozenset(group for reading in readings for group in reading[1])
    alike = frozenset(group for reading in readings for group in reading[2])
    return fits, alike, frozenset(group for reading in readings for group in reading[3])


def _words(text: str) -> list[tuple[str, Kind]]:
    lowered = text.casefold()
    found: list[tuple[int, str, Kind]] = []
    for word, kind in _LONGEST_FIRST:
        latin = word.isascii()
        for match in re.finditer(rf"\b{re.escape(word)}s?\b" if latin else re.escape(word), lowered):
            found.append((match.start(), word, kind))
            # What is read once is blanked, so that shorter words do not read it again.
            lowered = lowered[: match.start()] + "\0" * (match.end() - match.start()) + lowered[match.end() :]
    return [(word, kind) for _, word, kind in sorted(found)]


_LONGEST_FIRST: tuple[tuple[str, Kind], ...] = tuple(
    sorted(((word, kind) for kind, words in WORDS.items() for word in words), key=lambda entry: (-len(entry[0]), entry))
)

__all__ = ["SINGLE", "WORDS", "Kind", "NamedUse", "read_use"]
