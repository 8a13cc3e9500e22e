"""The stages' sentences of reason in Chinese: the one catalogue, matched when a result is shown.

Stages and stored results hold English sentences. Each is found here as a template with gaps (`{}`), whose counterpart puts the
values of the gaps in its place. A sentence that is not here stays English; a test lists what lacks.
"""

# ruff: noqa: E501

from __future__ import annotations

import re
from functools import cache

from geocollateral.types import MU_M2

CHINESE: dict[str, str] = {
    # -- looks and imagery
    "There is no optical imagery: seasons are not told by radar alone.": "没有光学影像：仅凭雷达无法判断作物季节。",
    "Too few clear looks: {} over {} days; {} over {} days are needed to tell how the parcel is used.": "无云观测过少：{1}天内{0}次；判断地块用途需要{3}天内{2}次。",
    "The last clear look is {} days old ({}): what grows there is not known.": "最近一次无云观测在{0}天前（{1}）：现状作物不明。",
    "The last clear look is {} days old ({}): what stands there now is not known.": "最近一次无云观测在{0}天前（{1}）：现状不明。",
    "There are no optical looks.": "没有光学观测。",
    "No look with at least {} of the parcel free of cloud, shadow and snow.": "没有一次观测能使地块至少{0}的范围不受云、阴影和积雪遮挡。",
    "Only {} clear looks up to {}; {} are needed.": "截至{1}仅有{0}次无云观测；需要{2}次。",
    "{} of the parcel lies outside the imagery; at least {} of it must be inside.": "地块有{0}位于影像范围之外；至少应有{1}在范围之内。",
    "The parcel lies outside the imagery.": "地块位于影像范围之外。",
    "Too small to judge: {} whole pixels lie inside the parcel, {} are needed.": "地块过小，无法判断：地块内仅有{0}个完整像元，需要{1}个。",
    "This version does not judge the asset class {} yet; only its series are given.": "本版本尚不判断资产类别“{0}”，仅提供时间序列。",
    "The source lacks bands for {} (needs {*}).": "影像来源缺少判断“{0}”所需的波段（需要{1}）。",
    "The feed is stale: the newest acquisition of this parcel is of {}, although one is due every {} days and the result is to speak for {}.": "数据更新中断：该地块最新影像为{0}，而按计划每{1}天应有一次，结果对应日期为{2}。",
    "{} scenes that were found cannot be read. The first: {*}": "查到的影像中有{0}景无法读取。第一景：{1}",
    "The imagery has no scene classification (SCL): clouds and shadows were removed only where they stand out from the looks before and after.": "影像没有场景分类（SCL）：云和阴影仅在与前后观测明显不同处被剔除。",
    "The imagery spans {}, when Sentinel-2 products got an offset of -1000, and declares one scale and offset for all its dates.": "影像跨越{0}，即Sentinel-2产品引入-1000偏移之日，但声明所有日期使用同一比例和偏移。",
    "If its maker did not harmonise it, every parcel shows a false change then.": "若制作方未作统一处理，届时每个地块都会出现虚假变化。",
    "This run is incomplete: {} bands of scenes were not given by the service and may be given later.": "本次运行不完整：影像服务有{0}个波段未提供，之后可能补供。",
    "Run the same command again; what was read is kept if a cache folder is set.": "请重新运行同一命令；若设置了缓存目录，已读取的数据会保留。",
    "Bands of scenes that could not be used: {*}.": "无法使用的影像波段：{0}。",
    "Bands of scenes that could not be used: {,}. scenes.json gives the reasons.": "无法使用的影像波段：{0}。原因见 scenes.json。",
    "{} missing": "{0}个缺失", "{} quarantined": "{0}个已隔离", "{} corrupt": "{0}个已损坏",
    "Warned of on {}.": "{0}已预警。",
    "scenes.json gives the reasons.": "原因见 scenes.json。",
    "The feed is stale for {} parcels; newest acquisition: {}.": "有{0}个地块的数据更新中断；最新影像：{1}。",
    "Suspected shift: the outlines fit the edges of the imagery {*} of where they lie, which is where they would lie if the file were in {*} and not in {*} as stated ({*}).": "疑似偏移：地块边界与影像边缘在{0}处吻合，即文件坐标若为{1}而非所述的{2}时应在的位置（{3}）。",
    "Every figure may be of other land.": "所有数字可能属于其他土地。",
    "Ask on which map the parcels were drawn, and run again with --datum {*}.": "请核实地块在何种地图上绘制，并以 --datum {0} 重新运行。",
    "no parcel is large enough and has enough ground around it in the imagery to compare its outline": "没有足够大且周边影像足够的地块可用于比对边界",
    "as good a fit is had by chance with probability {*} for {*} and {*} for {*}; parcels compared: {}": "同样好的吻合属偶然的概率：{1}为{0}，{3}为{2}；比对地块数：{4}",
    "the outlines follow no edges that the imagery shows ({})": "边界与影像中的任何边缘都不吻合（{0}）",
    "the outlines fit in two places ({})": "边界在两个位置均可吻合（{0}）",
    # -- claims of all classes
    "Claimed {} mu; the polygon measures {} mu, a difference of {} (tolerance {}).": "申报{0}亩；地块图形实测{1}亩，相差{2}（允许误差{3}）。",
    "Claimed {} living stand; what stands there could not be judged.": "申报活立木占比{0}；现有林木状况无法判断。",
    "Claimed {} living stand; observed {} ({} to {}): within {} points of that range.": "申报活立木占比{0}；观测为{1}（{2}至{3}）：与该区间相差不超过{4}个百分点。",
    "Claimed {} living stand; observed {} ({} to {}): further than {} points from that range.": "申报活立木占比{0}；观测为{1}（{2}至{3}）：与该区间相差超过{4}个百分点。",
    "Cannot tell whether the polygon holds one use: {} whole pixels, {} are needed.": "无法判断地块是否为单一用途：仅有{0}个完整像元，需要{1}个。",
    "Cannot tell whether the polygon holds one use: {} pixels lie clear of its border, {} are needed.": "无法判断地块是否为单一用途：避开边界的像元有{0}个，需要{1}个。",
    "Cannot tell whether the polygon holds one use: {} pixels lie clear of its border and of the events told, {} are needed.": "无法判断地块是否为单一用途：避开边界和已报事件的像元有{0}个，需要{1}个。",
    "Cannot tell whether the polygon holds one use: {} looks show most of it, {} are needed.": "无法判断地块是否为单一用途：能看到大部分地块的观测有{0}次，需要{1}次。",
    "One use: no part of {} pixels or more stands apart on {} looks.": "单一用途：在{1}次观测中没有{0}个像元以上的部分与其余不同。",
    "One use by its boundary: {} of the parcel looks different now, but was alike in the first of the last {} years; that is a change and is told as one.": "按边界为单一用途：地块有{0}现在看起来不同，但在近{1}年的第一年与其余一致；这属于变化，已按变化报告。",
    "along its edge: the boundary is shifted or lies over a neighbour's land": "沿边界分布：边界有偏移或占到相邻土地",
    "reaching into its middle: the polygon holds a second use or another plot": "伸入地块内部：地块包含第二种用途或另一块地",
    "More than one use: {} of the parcel, {}.": "不止一种用途：占地块{0}，{1}。",
    "Its NDVI differs from the rest by {} on {} looks of {} years, with a sharp border between.": "在{2}年的{1}次观测中，其NDVI与其余部分相差{0}，两者之间界线分明。",
    "Measured on the ellipsoid; no imagery is needed.": "在椭球面上量算，无需影像。",
    "Claimed {} mu; the polygon measures {} mu; {}.": "申报{0}亩；地块图形实测{1}亩；{2}。",
    "Claimed {}; observed {}; {}.": "申报{0}；观测为{1}；{2}。",
    "Claimed {}; observed {} ({} to {}); {}.": "申报{0}；观测为{1}（{2}至{3}）；{4}。",
    "{} living stand": "活立木占比{0}", "{} water": "水面占比{0}", "{} progress": "进度{0}",
    "Claimed {} living stand; how much there is could not be judged.": "申报活立木占比{0}；实际占比无法判断。",
    "This claim says nothing about the asset class {}; it is not checked.": "该申报项不适用于资产类别“{0}”，未予核对。",
    "Nothing is observed that this claim could be held against on a parcel of the asset class {}.": "对资产类别“{0}”的地块，没有可用于核对该申报项的观测内容。",
    "agriculture": "农用地", "forestry": "林地", "aquaculture": "水产养殖", "construction": "在建工程", "solar": "光伏电站", "wind": "风电场",
    "Not judged.": "未作判断。",
    "Standing timber is measured on plots or by laser; imagery of 10 m shows the area of a stand, not its height or its stems.": "蓄积量须由样地或激光雷达测定；10米影像只能看到林分面积，看不到树高和株数。",
    "Floors are not seen from above at 10 m; a permit or a survey gives the floor area.": "10米影像俯视看不到楼层；建筑面积以许可或测绘为准。",
    "{}, within the tolerance of {}": "{0}，在容差{1}以内",
    "{}, too uncertain to say whether it reaches the {} that count": "{0}，区间过宽，无法判断是否达到{1}的容差",
    "{} where less than {} is tolerated: over-claimed": "{0}，须小于{1}：申报偏高",
    "{} where less than {} is tolerated: under-claimed, more is there than claimed": "{0}，须小于{1}：申报偏低，实际多于申报",
    "{} points": "{0}个百分点",
    "{} or more": "{0}及以上",
    "none of it is there": "实际没有",
    "none of it is there ({} or more)": "实际没有（误差{0}及以上）",
    "an error of {}": "误差{0}",
    "an error of {} points": "误差{0}个百分点",
    "an error of {} ({} to {})": "误差{0}（{1}至{2}）",
    "an error of {} ({} or more)": "误差{0}（{1}及以上）",
    "an error of {} points ({} points to {} points)": "误差{0}个百分点（{1}至{2}个百分点）",
    # -- claimed days
    "Claimed to be planted on {}.": "申报种植日期为{0}。",
    "Claimed to be planted on {}; no clear look bears on it.": "申报种植日期为{0}；没有可供核对的无云观测。",
    "Claimed to be planted on {}, after the day of this report.": "申报种植日期为{0}，晚于本报告日期。",
    "Claimed to be planted on {}; most of the stand was lost between {} and {}, after that day.": "申报种植日期为{0}；林分大部在此之后即{1}至{2}之间损失。",
    "Claimed to be planted on {}; in {} the parcel's NDVI never passed {}: {} years on, no stand was green there.": "申报种植日期为{0}；{1}年地块NDVI从未超过{2}：{3}年过去，该处仍未见绿色林分。",
    "Claimed to be planted on {}; the ground was cleared between {} and {} and is green again since {}.": "申报种植日期为{0}；林地在{1}至{2}之间被清理，自{3}起返绿。",
    "Claimed to be planted on {}; the ground was cleared between {} and {}; that it was planted since is not seen.": "申报种植日期为{0}；林地在{1}至{2}之间被清理；未见此后已种植。",
    "Claimed to be planted on {}; closed forest stood there since the first look {} and was not cleared before that day: the stand is older than claimed.": "申报种植日期为{0}；自首次观测{1}起该处即为郁闭林，且在申报日期之前未被清理：林龄大于申报。",
    "Claimed to be planted on {}; looks begin on {}.": "申报种植日期为{0}；观测始于{1}。",
    "Imagery shows when ground was cleared, not how old trees are.": "影像能显示林地何时被清理，看不出树龄。",
    "No crop comes and goes on the parcel, so no day of planting is seen.": "地块上没有季节性轮替的作物，因此看不到种植日期。",
    "Claimed to be planted on {}; no crop season was seen.": "申报种植日期为{0}；未观测到作物生长季。",
    "Claimed to be planted on {}; the latest crop came up about {}.": "申报种植日期为{0}；最近一季作物约于{1}出苗。",
    "Claimed to be planted on {}; a crop that came up about {} stood on the field then.": "申报种植日期为{0}；当时田间尚有约于{1}出苗的作物。",
    "Claimed to be planted on {}; no crop has come up since: the latest came up about {}.": "申报种植日期为{0}；此后无作物出苗：最近一季约于{1}出苗。",
    "Claimed to be planted on {}; the latest crop came up about {}, which does not settle it.": "申报种植日期为{0}；最近一季作物约于{1}出苗，不足以得出结论。",
    "Claimed to feed into the grid from {}; there are no modules yet on {}.": "申报自{0}起并网；至{1}尚无组件。",
    "Claimed to feed into the grid from {}, which lies ahead; there are no modules yet on {}.": "申报自{0}起并网，该日未到；至{1}尚无组件。",
    "Claimed to feed into the grid from {}; modules stood there on the first look {}.": "申报自{0}起并网；首次观测{1}时已有组件。",
    "Claimed to feed into the grid from {}; modules stood there before the first look.": "申报自{0}起并网；首次观测前已有组件。",
    "Claimed to feed into the grid from {}; the first rows went up between {} and {}, after that day.": "申报自{0}起并网；首批组件在此之后即{1}至{2}之间安装。",
    "Claimed to feed into the grid from {}; the first rows went up between {} and {} and were complete by {}.": "申报自{0}起并网；首批组件于{1}至{2}之间安装，至{3}装完。",
    "Claimed to feed into the grid from {}; the first rows went up between {} and {} and were complete by {}: a part may have fed in before.": "申报自{0}起并网；首批组件于{1}至{2}之间安装，至{3}装完：此前可能已有部分并网。",
    "Claimed to feed into the grid from {}; the first rows went up between {} and {} and are still going up: a part may have fed in before.": "申报自{0}起并网；首批组件于{1}至{2}之间安装，目前仍在安装：此前可能已有部分并网。",
    "That it feeds into the grid is not seen.": "是否并网发电无法看到。",
    # -- claimed use
    "Claimed {*}: no crop, tree or cover of that name is known here; expected words such as winter wheat, maize, rice, vegetables, greenhouse, orchard, pasture, pine or fish pond, in English or Chinese.": "申报{0}：无法识别该作物、树种或覆盖名称；应为冬小麦、玉米、水稻、蔬菜、大棚、果园、牧草、松或鱼塘等中文或英文名称。",
    "Claimed {*}: there is no reflectance to tell a use from (bands {*}).": "申报{0}：没有可判断用途的反射率数据（波段{1}）。",
    "Claimed '{*}'.": "申报“{0}”。",
    "Claimed {*}, expected {}: the latest {} years show {}.": "申报{0}，应表现为{1}：最近{2}年显示为{3}。",
    "Claimed {*}, expected {}; the latest {} years show {}.": "申报{0}，应表现为{1}；最近{2}年显示为{3}。",
    "Claimed {*}, expected {}; the latest {} years show {}, which neither bears it out nor excludes it.": "申报{0}，应表现为{1}；最近{2}年显示为{3}，既不能证实也不能排除。",
    "Claimed {*}, expected {}; the latest {} years show {}, but not clearly enough (probability of the claim {}).": "申报{0}，应表现为{1}；最近{2}年显示为{3}，但不够明确（申报属实的概率为{4}）。",
    "{} with a probability of {} ({,}; {} clear looks)": "{0}，概率{1}（{2}；{3}次无云观测）",
    "{} with a probability of {} ({} clear looks)": "{0}，概率{1}（{2}次无云观测）",
    "Only {} clear looks over {} years; {} over {} are needed to tell what grows there.": "{1}年内仅有{0}次无云观测；判断种植内容需要{3}年内{2}次。",
    "That the claim holds all the same has a probability of {}.": "申报仍属实的概率为{0}。",
    "{} or {}": "{0}或{1}",
    "{} harvests a year": "每年{0}次收获",
    "water under the young plants": "幼苗期田面有水", "no water under the young plants": "幼苗期田面无水",
    "yellow bloom in spring": "春季黄花", "no harvest down to bare ground": "未见收获至裸地",
    "green in winter": "冬季为绿色", "bright grey cover": "亮灰色覆盖物",
    "one winter crop a year": "一年一季越冬作物", "a winter crop with yellow bloom (rapeseed)": "开黄花的越冬作物（油菜）",
    "one summer crop a year without flooding": "一年一季旱作夏季作物", "one flooded summer crop a year (rice)": "一年一季淹水夏季作物（水稻）",
    "a winter crop and a summer crop a year": "一年两熟：越冬作物和夏季作物", "rapeseed and a summer crop a year": "一年两熟：油菜和夏季作物",
    "a winter crop and a flooded summer crop (rice) a year": "一年两熟：越冬作物和淹水夏季作物（水稻）",
    "rapeseed and a flooded summer crop (rice) a year": "一年两熟：油菜和淹水夏季作物（水稻）",
    "two flooded crops a year (double rice)": "一年两季淹水作物（双季稻）", "several short crops a year": "一年多茬短季作物",
    "a cover of plastic or glass with plants below": "塑料或玻璃覆盖，其下有植物", "grass or weeds, never tilled": "草地或杂草，从未翻耕",
    "open trees or shrubs, never tilled (orchard, vineyard, young plantation)": "稀疏乔木或灌木，从未翻耕（果园、葡萄园、幼林）",
    "a closed stand of trees, leafless in winter": "郁闭林分，冬季落叶",
    "a closed canopy green in winter (evergreen trees, tea)": "冬季常绿的郁闭冠层（常绿树、茶园）",
    "a closed, dark canopy green in winter (conifers)": "冬季常绿的深色郁闭冠层（针叶林）",
    "water": "水面", "bare or built-up ground": "裸地或建设用地",
    "a winter crop; which one cannot be told": "越冬作物（无法区分种类）",
    "a cereal of winter or spring; which one cannot be told": "冬季或春季谷类作物（无法区分种类）",
    "a winter crop with yellow bloom": "开黄花的越冬作物",
    "a summer crop without flooding; which one cannot be told": "旱作夏季作物（无法区分种类）",
    "a flooded summer crop": "淹水夏季作物", "two flooded crops a year": "一年两季淹水作物", "a cover of plastic or glass": "塑料或玻璃覆盖",
    "trees or shrubs, never tilled": "乔木或灌木，从未翻耕", "shrubs green in winter, never tilled": "冬季常绿灌木，从未翻耕",
    "grass, never tilled": "草地，从未翻耕", "weeds or bare ground without harvests": "杂草或裸地，无收获", "a dark canopy green in winter": "冬季常绿的深色冠层",
    "trees leafless in winter": "冬季落叶的树木", "a canopy green in winter": "冬季常绿的冠层", "a canopy of leaves": "阔叶冠层",
    "a closed canopy": "郁闭冠层", "buildings or paving": "建筑或硬化地面",
    "a crop that this version does not tell from others": "本版本无法与其他作物区分的作物",
    "a winter crop and a flooded summer crop a year": "一年两熟：越冬作物和淹水夏季作物",
    "rapeseed and a flooded summer crop a year": "一年两熟：油菜和淹水夏季作物",
    # -- claimed area planted
    "Claimed {} mu planted; how much is planted could not be judged.": "申报种植{0}亩；实际种植面积无法判断。",
    "Claimed {} mu planted; on {} looks from {} to {} there follow the crop (last complete season {} to {}) {} mu; {}.": "申报种植{0}亩；{2}至{3}的{1}次观测中，与作物长势（最近一个完整生长季为{4}至{5}）一致的有{6}亩；{7}。",
    "Claimed {} mu planted; on {} looks from {} to {} there follow the crop (last complete season {} to {}) {} mu ({} mu to {} mu); {}.": "申报种植{0}亩；{2}至{3}的{1}次观测中，与作物长势（最近一个完整生长季为{4}至{5}）一致的有{6}亩（{7}亩至{8}亩）；{9}。",
    "Claimed {} mu planted; on {} looks from {} to {} there follow the course of the parcel {} mu; {}.": "申报种植{0}亩；{2}至{3}的{1}次观测中，与地块整体长势一致的有{4}亩；{5}。",
    "Claimed {} mu planted; on {} looks from {} to {} there follow the course of the parcel {} mu ({} mu to {} mu); {}.": "申报种植{0}亩；{2}至{3}的{1}次观测中，与地块整体长势一致的有{4}亩（{5}亩至{6}亩）；{7}。",
    "A part of it has, or had, a crop of its own: two fields in one polygon, or one given up.": "其中一部分种有或曾种有另一作物：同一图形内有两块田，或其中一块已弃种。",
    "A crop may have failed, and what failed is not planted ground.": "可能有作物歉收，歉收部分不计为种植面积。",
    "It lies idle: the same season was missed twice.": "土地闲置：同一季节连续两次缺种。",
    "No crop has been seen lately: it may lie fallow.": "近期未见作物：可能处于休耕。",
    "The rest has another course: no crop, or another use.": "其余部分长势不同：无作物或另作他用。",
    "The planted share needs the bands {*}; lacking: {*}.": "判断种植占比需要波段{0}；缺少：{1}。",
    "Only {} looks show most of the parcel in {} days; {} are needed.": "{1}天内能看到大部分地块的观测仅有{0}次；需要{2}次。",
    "Only {} pixels lie inside the parcel; {} are needed.": "地块内仅有{0}个像元；需要{1}个。",
    "Only {} looks show the middle of the parcel; {} are needed.": "能看到地块中部的观测仅有{0}次；需要{1}次。",
    # -- farmland
    "No failed crop, missed season or lasting loss of ground found.": "未发现作物歉收、缺种一季或土地持续丧失。",
    "A crop failed between {} and {} ({} ha).": "{0}至{1}之间作物歉收（{2:ha}）。",
    "A season was missed from {} on; a single fallow year looks the same.": "自{0}起缺种一季；仅休耕一年看起来也是如此。",
    "No crop since {}: the same season was missed twice.": "自{0}起无作物：同一季节连续两次缺种。",
    "Water took a crop between {} and {} ({} ha).": "{0}至{1}之间作物被水淹毁（{2:ha}）。",
    "{} ha were cleared between {} and {}.": "{1}至{2}之间有{0:ha}土地被清理。",
    "{} ha were taken by works between {} and {}.": "{1}至{2}之间有{0:ha}土地被施工占用。",
    "Fields with crops": "种植作物的农田",
    "Green all year round or leafless for a while, never tilled: grass, orchard or trees": "终年常绿或短期落叶，从未翻耕：草地、果园或林木",
    "Hardly any green seen from above: greenhouse, plastic or bare ground": "从上方几乎看不到绿色：温室、地膜或裸地",
    "{}; there is no harvest to date.": "{0}；没有可定日期的收获。",
    "{}, {} harvests a year seen.": "{0}，观测到每年{1}次收获。",
    "A crop has stood since about {}.": "约自{0}起有作物在田。",
    "Last harvest about {} ({} to {}).": "最近一次收获约在{0}（{1}至{2}）。",
    "The latest crop does {} than {} alike around it (z = {}).": "最近一季作物的长势比周边{1}块同类地块{0}（z = {2}）。",
    "worse": "差",
    "better": "好",
    "On {} NDVI was {} where parcels alike around it stood at {}; until {} the crop had come up with theirs.": "{0}地块NDVI为{1}，周边同类地块为{2}；直到{3}，作物与周边同步出苗。",
    "On {} NDVI was {} where parcels alike around it stood at {}; it had not come up.": "{0}地块NDVI为{1}，周边同类地块为{2}；作物未出苗。",
    "{} looks up to {} bear it out; the neighbours' crops stood, so it was not the weather that all had.": "截至{1}的{0}次观测予以证实；邻地作物正常，因此并非普遍的天气原因。",
    "No look in that time showed water; one that came and went between two looks was missed.": "期间没有观测到积水；两次观测之间来而复去的积水无法看到。",
    "On {} water stood on {} of the parcel (MNDWI above 0).": "{0}地块有{1}积水（MNDWI大于0）。",
    "On {} its backscatter lay {} dB lower than the neighbours' fell, as over open water.": "{0}其后向散射比邻地多下降{1} dB，与开阔水面相符。",
    "In the {} days to {} the parcel followed {} of the rise and fall of fields that were alike before ({} earlier).": "截至{1}的{0}天内，地块只随原先同类农田起伏的{2}（此前为{3}）。",
    "One season without a crop: a fallow year looks the same until the next season.": "一季无作物：在下一季之前，与休耕一年无法区分。",
    "In the same season a year before: {}.": "上年同季：{0}。",
    "Two seasons without a crop.": "连续两季无作物。",
    "In the {} days to then: {}.": "至此的{0}天内：{1}。",
    "The neighbours' next crop has come up, here none has: this is no fallow year.": "邻地下一季作物已出苗，此处没有：并非休耕一年。",
    "Before, it had not kept step with them closely enough to rule out that it was not sown.": "此前与周边步调不够一致，不能排除未播种。",
    "Its own crop was last seen {} days before; one crop may have followed another in between.": "上一次见到本地块作物在{0}天前；其间可能已换茬。",
    "Of what was green around it {} had fallen too: it may be a harvest of all.": "周边原为绿色的地块中{0}也已下降：可能是普遍收获。",
    "In earlier years its harvest was near at that time: it may be an early one.": "往年此时已临近收获：可能是提早收获。",
    "No look showed a crop: whether seedlings drowned or nothing was sown is not certain.": "没有观测到作物：是幼苗淹死还是未播种，尚不确定。",
    "{} ha ({} of the parcel) have been bare on {} looks from {} to {}, on which the rest or the neighbours were green; last seen green {}.": "{3}至{4}的{2}次观测中有{0:ha}（占地块{1}）裸露，而其余部分或邻地为绿色；最后一次见绿为{5}。",
    "A harvest, a ploughing or a fallow year would have been green again by then.": "若为收获、翻耕或休耕，届时应已返绿。",
    # -- ponds
    "Too few clear looks in the first {} days to tell how much water there was: {} are needed.": "前{0}天内无云观测过少，无法判断原有水面：需要{1}次。",
    "The last look that tells of water is {} days old ({}): what is there now is not known.": "最近一次能判断水面的观测在{0}天前（{1}）：现状不明。",
    "Last look with water {}, first without {}; {} looks showed no water up to {}.": "最后一次有水为{0}，首次无水为{1}；截至{3}共{2}次观测无水。",
    "Last look with water {}, first without {}; {} looks showed no water up to {}, {} days later: longer than ponds lie dry between two stockings.": "最后一次有水为{0}，首次无水为{1}；截至{3}（{4}天后）共{2}次观测无水：超过两次放养之间正常的晒塘时间。",
    "Water covered {} of the parcel in its history and {} since {}.": "历史上水面占地块{0}，自{2}起为{1}。",
    "Water covered {} of the parcel in its history; radar has met rough ground since {} and no clear optical look has come since.": "历史上水面占地块{0}；自{1}起雷达显示为粗糙地面，此后没有无云的光学观测。",
    "Filled again on {}.": "{0}重新注水。",
    "Claimed {} water; how much there is could not be judged.": "申报水面占比{0}；实际水面无法判断。",
    "Claimed {} water; observed {} ({} to {}): within {} points of that range.": "申报水面占比{0}；观测为{1}（{2}至{3}）：与该区间相差不超过{4}个百分点。",
    "Claimed {} water; observed {} ({} to {}): further than {} points from that range.": "申报水面占比{0}；观测为{1}（{2}至{3}）：与该区间相差超过{4}个百分点。",
    "Water covers {} of the parcel ({} ha): no pond was found in the first {} days either.": "水面占地块{0}（{1:ha}）：前{2}天内也未发现池塘。",
    "Water covers {} of the parcel ({} ha), against {} in its first year.": "水面占地块{0}（{1:ha}），第一年为{2}。",
    "It lay dry {} time for less than the grace period and was filled again.": "曾有{0}次干涸，时间短于宽限期，后又注水。",
    "It lay dry {} times for less than the grace period and was filled again.": "曾有{0}次干涸，时间短于宽限期，后又注水。",
    "Water covers {} of the parcel ({} ha), against {} in its first year: dry since {}, longer than between two stockings.": "水面占地块{0}（{1:ha}），第一年为{2}：自{3}起干涸，超过两次放养的间隔。",
    "Water covers {} of the parcel ({} ha), against {} in its first year: dry since {}, which is within the {} days that ponds may lie dry between two stockings.": "水面占地块{0}（{1:ha}），第一年为{2}：自{3}起干涸，仍在两次放养之间允许的{4}天之内。",
    "{} ha of water gone.": "{0:ha}水面消失。",
    "The ponds lie dry since {}; filled again in time, it was business.": "池塘自{0}起干涸；若按期注水，则属正常经营。",
    # -- building sites
    "Since {} to {} the parcel departs from ground nearby that had gone along with it: {} optical and {} radar looks bear it out (probability {}); about {} ha.": "自{0}至{1}起，地块与原先走势一致的邻近地面出现背离：{2}次光学和{3}次雷达观测予以证实（概率{4}）；约{5:ha}。",
    "Optical looks compare the parcel with open ground, foundations and roofs; radar sees worked ground and walls.": "光学观测将地块与裸露地面、基础和屋面比对；雷达可见翻动的地面和墙体。",
    "Told on {}.": "报告日期：{0}。",
    "{} ha that were land before, {} of the parcel, are open ground, foundations or buildings, unlike the same season in earlier years and like parcels nearby.": "原为土地的{0:ha}（占地块{1}）现为裸露地面、基础或建筑，与往年同季不同，与邻近地块类似。",
    "{} ha that were land before, {} of the parcel, are open ground, foundations or buildings, unlike the same season in earlier years and unlike parcels nearby.": "原为土地的{0:ha}（占地块{1}）现为裸露地面、基础或建筑，与往年同季和邻近地块均不同。",
    "Last clear look as land {}, first under works {}; told on {}.": "最后一次无云观测为土地：{0}，首次见施工：{1}；报告日期：{2}。",
    "no radar looks": "无雷达观测",
    "radar {} dB2": "雷达{0} dB²",
    "On {} the pattern of the site is that of about {}: likeness {}, energy of change {} in squares of log reflectance, {}; the grace period is {} days.": "{0}工地格局与{1}前后相同：相似度{2}，变化能量{3}（对数反射率平方），{4}；宽限期为{5}天。",
    "{} of the parcel is open ground or unfinished building; progress stands at about {}.": "地块有{0}为裸露地面或未完工建筑；进度约为{1}。",
    "Works inside walls are not seen.": "室内施工无法看到。",
    "On {} {} of the parcel is roofed or paved and {} open or unfinished.": "{0}地块有{1}已封顶或硬化，{2}裸露或未完工。",
    "Seen from above at 10 m: floors, fittings and use cannot be told.": "仅为10米分辨率俯视：楼层、装修和使用情况无法判断。",
    "Claimed stage {}": "申报阶段为“{0}”",
    "Claimed progress {}": "申报进度为{0}",
    "{}; observed progress {} ({} to {}), {}.": "{0}；观测进度{1}（{2}至{3}），{4}。",
    "{}; observed progress {} ({} to {}), {}: behind the claim.": "{0}；观测进度{1}（{2}至{3}），{4}：落后于申报。",
    "{}; observed progress {} ({} to {}), {}: ahead of the claim.": "{0}；观测进度{1}（{2}至{3}），{4}：超前于申报。",
    "planned": "规划", "site cleared": "场地平整", "foundations": "基础施工", "structure": "主体施工", "complete": "竣工",
    "operating": "运营", "not started": "未开工", "progressing": "在建", "stalled": "停工", "finished": "完工", "built": "已建成",
    "demolished": "已拆除",
    "No works seen.": "未见施工。",
    "Built before the first look; no new works seen.": "首次观测前已建成；未见新的施工。",
    "Works started by {} and go on: progress {} ({} to {}).": "至{0}已开工，仍在施工：进度{1}（{2}至{3}）。",
    "Works stand still since about {}: progress {} ({} to {}).": "约自{0}起停工：进度{1}（{2}至{3}）。",
    "Roofed and paved by {}, as far as seen from above.": "从上方看，至{0}已封顶并硬化。",
    "Buildings were pulled down: {}": "建筑已被拆除：{0}",
    "Buildings were pulled down, and what stands there since is not told from rubble.": "建筑已被拆除，此后的地上物与瓦砾无法区分。",
    "Works stand still since {} at the latest: progress {} ({} to {}).": "至迟自{0}起停工：进度{1}（{2}至{3}）。",
    "On {} the site looks as it did about {}: its bright and dark places are the same ({} alike), nothing was dug, paved or roofed since, and {}.": "{0}工地外观与{1}前后相同：明暗分布一致（相似度{2}），此后没有开挖、硬化或封顶，且{3}。",
    "radar had no look to compare": "没有可比对的雷达观测", "radar sees no new walls or earthworks": "雷达未见新的墙体或土方",
    "Work ended between {} and {}; rest of up to {} days is normal on a site.": "施工止于{0}至{1}之间；工地停歇{2}天以内属正常。",
    "How far the works are could not be judged.": "施工进度无法判断。",
    "Inspect on site before money is released.": "放款前须现场核实。",
    "The works: {}.": "工程状态：{0}。",
    "no modules": "未见组件", "modules going up": "组件安装中", "modules complete": "组件已装完",
    "as claimed": "与申报相符", "behind the claim": "落后于申报", "ahead of the claim": "超前于申报",
    "too uncertain to say whether the stage is reached": "区间过宽，无法判断是否达到该阶段",
    "Claimed stage {}, which stands for {} to {} of the works; observed progress {} ({} to {}), {}: {}.": "申报阶段为“{0}”，对应工程进度{1}至{2}；观测进度{3}（{4}至{5}），{6}：{7}。",
    "The milestone claimed needs {} of the works; progress seen is {} ({} to {}), {}: it supports the draw.": "申报的里程碑需完成工程的{0}；观测进度{1}（{2}至{3}），{4}：支持放款。",
    "The milestone claimed, {}, needs {} of the works; progress seen is {} ({} to {}), {}: it supports the draw.": "申报的里程碑“{0}”需完成工程的{1}；观测进度{2}（{3}至{4}），{5}：支持放款。",
    "Hold the draw: the milestone claimed needs {} of the works; progress seen is {} ({} to {}), {}, short by {} points ({} to {}).": "建议暂缓放款：申报的里程碑需完成工程的{0}；观测进度{1}（{2}至{3}），{4}，差{5}个百分点（{6}至{7}）。",
    "Hold the draw: the milestone claimed, {}, needs {} of the works; progress seen is {} ({} to {}), {}, short by {} points ({} to {}).": "建议暂缓放款：申报的里程碑“{0}”需完成工程的{1}；观测进度{2}（{3}至{4}），{5}，差{6}个百分点（{7}至{8}）。",
    "The milestone claimed needs {} of the works; progress seen is {} ({} to {}), {}: inspect on site before money is released.": "申报的里程碑需完成工程的{0}；观测进度{1}（{2}至{3}），{4}：放款前须现场核实。",
    "The milestone claimed, {}, needs {} of the works; progress seen is {} ({} to {}), {}: inspect on site before money is released.": "申报的里程碑“{0}”需完成工程的{1}；观测进度{2}（{3}至{4}），{5}：放款前须现场核实。",
    "Claimed stage {}.": "申报阶段为“{0}”。",
    "As claimed.": "与申报相符。", "Not as claimed.": "与申报不符。", "Neither confirmed nor refuted.": "既未证实也未否定。",
    "It supports the draw.": "支持放款。", "Hold the draw.": "建议暂缓放款。",
    "not as claimed": "与申报不符", "neither confirmed nor refuted": "既未证实也未否定",
    "it supports the draw": "支持放款", "hold the draw": "建议暂缓放款", "inspect on site before money is released": "放款前须现场核实",
    "land": "土地", "cleared": "清理", "building": "在建",
    "On {}: {*}.": "{0}：{1}。",
    "Floors and works inside cannot be seen at 10 m; works outside the polygon are not looked at, which would need pixels around it.": "10米分辨率看不到楼层和室内施工；不查看地块外的施工，这需要周边像元。",
    "{} ha of built surface that had looked the same for more than a year looks different since {}, against the rest of the parcel on the same looks.": "一年多来外观不变的{0:ha}建筑表面自{1}起发生变化，而同期地块其余部分未变。",
    "Last clear look as before {}; told on {}.": "最后一次无云观测与此前一致：{0}；报告日期：{1}。",
    "The planned start {} is not before the planned completion {}.": "计划开工日{0}不早于计划竣工日{1}。",
    "Seen until {}.": "观测截至{0}。",
    "Buildings were pulled down; no works of the plan were seen.": "建筑已被拆除；未见计划内的施工。",
    "Works before the first look {} cannot be dated.": "首次观测{0}之前的施工无法确定日期。",
    "No works seen; completion was planned for {}.": "未见施工；计划竣工日为{0}。",
    "No works seen, and no start is planned.": "未见施工，亦无计划开工日。",
    "No works seen; they are planned to start on {}.": "未见施工；计划开工日为{0}。",
    "No works seen {} days after the planned start {}: too soon.": "计划开工日{1}已过{0}天，未见施工：尚早，不作判断。",
    "No works seen {} days after the planned start {}.": "计划开工日{1}已过{0}天，未见施工。",
    "Works began between {} and {}; progress {} ({} to {}); roofed and paved as far as seen from above.": "{0}至{1}之间开工；进度{2}（{3}至{4}）；从上方看已封顶并硬化。",
    "Works began between {} and {}; progress {} ({} to {}); works stand still.": "{0}至{1}之间开工；进度{2}（{3}至{4}）；已停工。",
    "Works began between {} and {}; progress {} ({} to {}); the start was planned for {}.": "{0}至{1}之间开工；进度{2}（{3}至{4}）；计划开工日为{5}。",
    "Works began between {} and {}; progress {} ({} to {}); completion was planned for {}.": "{0}至{1}之间开工；进度{2}（{3}至{4}）；计划竣工日为{5}。",
    "Works began between {} and {}; progress {} ({} to {}); one planned date alone gives no pace.": "{0}至{1}之间开工；进度{2}（{3}至{4}）；仅有一个计划日期，无法比较进度。",
    "Works began between {} and {}; progress {} ({} to {}); the plan stands at {}.": "{0}至{1}之间开工；进度{2}（{3}至{4}）；计划进度为{5}。",
    # -- fire and flood
    "The {} of {} lies after {}.": "{1}的{0}晚于{2}。",
    "Damage by {} of {} is not told: the source lacks bands ({*}).": "{1}的{0}损失未判断：影像来源缺少波段（{2}）。",
    "fire": "火灾", "flood": "洪涝",
    "No clear look after the fire of {} yet.": "{0}火灾之后尚无无云观测。",
    "No look yet at a season in which plants stood here before {}.": "{0}之前此处有植被的季节，灾后尚无对应观测。",
    "{} of the parcel's plants burnt ({} to {}): NBR fell by {} or more from before {} to {}; {} severely.": "地块植被过火{0}（{1}至{2}）：{4}之前至{5}，NBR下降{3}以上；其中重度{6}。",
    "The first clear look came {} days later: the window was missed, and the share is a least.": "首次无云观测晚了{0}天：已错过最佳时段，该占比为下限。",
    "Plants were worse off than around on {} of the parcel in the weeks after.": "其后数周，地块有{0}的植被状况差于周边。",
    "No look of any sensor after {} that could tell a flood.": "{0}之后没有任何传感器的观测可判断洪涝。",
    "Window missed: the first look came {} days after {}, later than the {} days in which a flood is seen; its extent is not known.": "已错过最佳时段：首次观测在{1}之后{0}天，超过可见洪涝的{2}天；范围不明。",
    "Radar alone says so, and plants fared as those around: it may be wet soil.": "仅雷达有此显示，且植被与周边无异：可能只是湿土。",
    "{} of the parcel under water ({} to {}) on the look {} days after {}, by {*}; {} looks in the {} days told.": "{4}之后第{3}天的观测显示地块有{0}被淹（{1}至{2}），传感器为{5}；{7}天内共{6}次有效观测。",
    "Its day is not known: it may have stood higher, and the share is a least.": "确切日期不明：水位可能更高，该占比为下限。",
    # -- forest
    "Only {} of the parcel looked like closed forest in its history, less than the {} needed: there is no stand whose loss could be judged.": "历史上地块仅有{0}呈郁闭林相，低于所需的{1}：没有可判断损失的林分。",
    "The last look that would show a loss is {} days old ({}): what stands there now is not known.": "最近一次能显示损失的观测在{0}天前（{1}）：现存林木不明。",
    "The stand was already changing in the history that should serve as its baseline.": "在应作为基准的历史期内，林分已在变化。",
    "Too few clear looks: {} up to {}, not enough for a seasonal baseline and a look in leaf after it.": "无云观测过少：截至{1}为{0}次，不足以建立季节基准并在其后获得一次有叶观测。",
    "NDVI fell by {} below its season on {} pixels, NDMI fell with it.": "{1}个像元的NDVI低于季节正常值{0}，NDMI同步下降。",
    "Last clear look with the stand in place {}, first without {}": "最后一次见林分完好的无云观测：{0}，首次见缺失：{1}",
    "Last clear look with the stand in place {}, first without {}.": "最后一次见林分完好的无云观测：{0}，首次见缺失：{1}。",
    "Last clear look with the stand in place {}, first without {}; confirmed {}.": "最后一次见林分完好的无云观测：{0}，首次见缺失：{1}；确认日期：{2}。",
    "Last clear look with the stand in place {}, first without {} ({} of the area; the rest was dated sooner or later); confirmed {}.": "最后一次见林分完好的无云观测：{0}，首次见缺失：{1}（占面积{2}，其余部分略早或略晚）；确认日期：{3}。",
    "1 loss of stand confirmed, {} ha in all.": "已确认1处林木损失，共{0:ha}。",
    "{} losses of stand confirmed, {} ha in all.": "已确认{0}处林木损失，共{1:ha}。",
    "No lasting loss of stand found.": "未发现持续的林木损失。",
    "A further loss of {} ha is suspected and not yet confirmed.": "另有{0:ha}疑似损失，尚未确认。",
    "Looks after {} were leafless or in leaf change and cannot tell a felling.": "{0}之后的观测处于落叶或换叶期，无法判断采伐。",
    "{} ha of stand lost, {} of the parcel.": "损失林木{0:ha}，占地块{1}。",
    "Since {} it is told pixel by pixel, as the loss first seen {}.": "自{0}起逐像元报告，即{1}首次观测到的损失。",
    "The stand that is left lost {} of its canopy signal since {}, recovered on {}.": "剩余林分自{1}起冠层信号下降{0}，于{2}恢复。",
    "The stand that is left lost {} of its canopy signal since {}, and has not recovered.": "剩余林分自{1}起冠层信号下降{0}，尚未恢复。",
    "The stand as a whole thinned or declined by {}.": "林分整体变疏或衰退{0}。",
    "The stand as a whole lost {} (give or take {}) of its NBR above bare ground against the same season of earlier years and the stands around, {}; no part of it shows a break of its own.": "与往年同季及周边林分相比，林分整体高于裸地的NBR下降{0}（误差{1}），{2}；没有任何局部单独出现突变。",
    "all over it": "遍及全部",
    "most of it on {} of the stand": "主要集中在林分的{0}",
    "Last look near its usual level {}, first clearly below it {} ({} days between); said on {}, when {} looks or more agreed.": "最后一次接近正常水平：{0}，首次明显偏低：{1}（相隔{2}天）；{3}在至少{4}次观测一致时报告。",
    "Radar told it too: {}": "雷达亦予证实：{0}",
    "Told by radar alone: {}": "仅由雷达发现：{0}",
    "Optical looks have not told it yet.": "光学观测尚未显示。",
    "Optical looks since {} show the stand in place.": "{0}以来的光学观测显示林分完好。",
    "backscatter VH fell by {} dB against the same season and the forests around on {} looks of {} up to {}, beginning between {} and {}.": "后向散射VH较往年同季及周边森林下降{0} dB，见于{2}截至{3}的{1}次观测，始于{4}至{5}之间。",
    "backscatter VH fell by {} dB and VV {} by {} dB against the same season and the forests around on {} looks of {} up to {}, beginning between {} and {}.": "后向散射较往年同季及周边森林VH下降{0} dB、VV{1}{2} dB，见于{4}截至{5}的{3}次观测，始于{6}至{7}之间。",
    "rose": "上升",
    "fell": "下降",
    "1 orbit": "1条轨道", "{} orbits": "{0}条轨道",
    "Cause: cannot tell yet, {} clear looks since {} and {} are needed.": "原因：暂无法判断，自{1}以来有{0}次无云观测，需要{2}次。",
    "Cause: not clear, {} or {}: {;}.": "原因：不明确，{0}或{1}：{2}。",
    "Cause: most likely {}, else {}: {;}.": "原因：最可能为{0}，其次为{1}：{2}。",
    "Cause: most likely {}: {;}.": "原因：最可能为{0}：{1}。",
    "insects or gradual decline ({})": "虫害或逐渐衰退（{0}）", "clearing for building ({})": "为建设清林（{0}）",
    "clear-cut ({})": "皆伐（{0}）", "thinning ({})": "间伐（{0}）", "fire ({})": "火灾（{0}）", "storm ({})": "风灾（{0}）",
    "about {} of the crown cover gone on the pixels of the event": "事件像元上约{0}的树冠消失",
    "near infrared fell to {} while red hardly rose, as over char": "近红外降至{0}而红光几乎未升，与炭化地表相符",
    "red reflectance rose by {}, as over bare ground and slash": "红光反射率上升{0}，与裸地和采伐剩余物相符",
    "neither char nor much bare ground": "既无炭化也无大量裸地",
    "the fall took at least {} days": "下降历时至少{0}天",
    "it fell within {} days": "在{0}天内下降",
    "how fast it fell is not known (0 to {} days between the looks)": "下降快慢不明（两次观测相隔0至{0}天）",
    "{} of {} neighbouring stands fell in the same days": "{1}个邻近林分中有{0}个在同期下降",
    "radar VH changed by {} dB": "雷达VH变化{0} dB",
    "radar VV rose by {} dB, as over new structures": "雷达VV上升{0} dB，与新建筑物相符",
    # -- solar and wind
    "Too few clear looks in a row to tell modules from what resembles them.": "连续无云观测过少，无法将光伏组件与相似地物区分。",
    "On {} {} ha, {} of the parcel, had looked like rows of modules for {} days: dark from blue to short-wave infrared, without the red of soil, with little green.": "至{0}，{1:ha}（占地块{2}）呈光伏组件行列特征已{3}天：由蓝光至短波红外均偏暗，无土壤红色，少绿。",
    "First rows between {} and {}; none before.": "首批组件出现于{0}至{1}之间；此前没有。",
    "NDVI over the rows reached {} on three looks in a row: plants shade them.": "组件行上的NDVI连续三次观测达{0}：被植物遮挡。",
    "Claimed {} MW; not judged.": "申报{0} MW；未作判断。",
    "Claimed {} MW; the rows seen hold {} to {} MW at {} to {} MW/km2 (direct current).": "申报{0} MW；所见组件按{3}至{4} MW/km²（直流侧）折算为{1}至{2} MW。",
    "no solar modules on {}": "{0}未见光伏组件",
    "Claimed {} MW; {}, and by the stage or day claimed the plant is not complete yet.": "申报{0} MW；{1}，而按申报的阶段或日期电站尚未建成。",
    "Claimed {} MW; {}; what could be missed holds less than {} MW.": "申报{0} MW；{1}；可能漏看的部分不足{2} MW。",
    "Claimed {} MW; {}, but up to {} MW could be missed at 10 m.": "申报{0} MW；{1}，但10米分辨率下可能漏看至多{2} MW。",
    "the rows seen on {} hold {} to {} MW at {} to {} MW/km2": "{0}所见组件按每平方公里{3}至{4} MW折算为{1}至{2} MW",
    "Claimed {} MW; {}, the whole parcel {} MW: over-claimed by {} or more.": "申报{0} MW；{1}，整个地块为{2} MW：至少多报{3}。",
    "Claimed {} MW; {}, less than claimed, but the plant is not complete yet.": "申报{0} MW；{1}，低于申报，但电站尚未建成。",
    "Claimed {} MW; {}: over-claimed by {} or more even with the densest rows.": "申报{0} MW；{1}：即使按最密排布也至少多报{2}。",
    "Claimed {} MW; {}: more stands there than claimed, even if it is meant at the inverters (alternating current, about 1/{} of it).": "申报{0} MW；{1}：即使申报的是逆变器交流侧容量（约为直流侧的1/{2}），实际仍多于申报。",
    "Other modules may stand on the parcel.": "地块上可能有其他项目的组件。",
    "Claimed {} MW; {}: an over-claim of {} is excluded.": "申报{0} MW；{1}：可排除多报{2}。",
    "Claimed {} MW; {}: possible, at {} of the usual density; how close the rows stand is not seen at 10 m.": "申报{0} MW；{1}：有可能，相当于通常密度的{2}；10米分辨率看不出组件行距。",
    "Peak capacity at the modules (direct current).": "指组件侧峰值容量（直流）。",
    "No modules are seen; ground works and racks are not told from other open ground.": "未见组件；土方和支架与其他裸地无法区分。",
    "Modules stood there before the first look.": "首次观测前已有组件。",
    "First rows between {} and {}; their area was still growing at the last look.": "首批组件出现于{0}至{1}之间；至最近一次观测面积仍在增加。",
    "First rows between {} and {}; their area has not grown since {}.": "首批组件出现于{0}至{1}之间；自{2}起面积未再增加。",
    "What is there resembles {}.": "现状类似{0}。",
    "open water (ponds, flooded fields): dark, but darkest in the short-wave infrared": "开阔水面（池塘、淹水田）：偏暗，短波红外最暗",
    "plastic greenhouses: as grey, but bright": "塑料大棚：同为灰色，但较亮",
    "asphalt or dark roofs: dark and grey, but without any plants between rows": "沥青或深色屋面：偏暗偏灰，但行间没有植物",
    "roofs or concrete: grey, but bright": "屋面或混凝土：灰色，但较亮",
    "fields or trees in leaf": "有叶的农田或林木",
    "No solar modules on {}: {} of the parcel looks like them.": "{0}未见光伏组件：地块有{1}与其相似。",
    "Modules were there before the first looks.": "首次观测前已有组件。",
    "First rows between {} and {}; complete by {}.": "首批组件出现于{0}至{1}之间；至{2}完成。",
    "First rows between {} and {}; the share still grows.": "首批组件出现于{0}至{1}之间；占比仍在增加。",
    "Rows of modules on {} of the parcel (within {}) on {}: {} to {} MW at {} to {} MW per km2 of rows.": "{2}组件行占地块{0}（误差{1}）：按每平方公里组件{5}至{6} MW折算为{3}至{4} MW。",
    "Single modules and wiring cannot be seen at 10 m.": "10米分辨率看不到单块组件和线路。",
    "A patch of {} m2 left the land around it and has stayed open ground, gravel or concrete: the size of a turbine's pad.": "一块{0:m2}的地面与周边分离，一直为裸地、碎石或混凝土：与风机平台大小相当。",
    "Last clear look as land {}, first as open ground {}; told on {}.": "最后一次无云观测为土地：{0}，首次为裸地：{1}；报告日期：{2}。",
    "{} pad of a turbine's size since {}: {} to {} MW if each carries one turbine.": "自{1}以来有{0}处风机大小的平台：若每处一台风机，约{2}至{3} MW。",
    "{} pads of a turbine's size since {}: {} to {} MW if each carries one turbine.": "自{1}以来有{0}处风机大小的平台：若每处一台风机，约{2}至{3} MW。",
    "Towers and blades cannot be seen at 10 m.": "10米分辨率看不到塔筒和叶片。",
    "No new pad of {} m2 or more.": "没有{0:m2}以上的新平台。",
    "Turbines that stood before the first year of looks, and smaller pads, cannot be told at 10 m: their number needs finer pictures.": "首年观测之前已有的风机和更小的平台在10米分辨率下无法判断：其数量需更高分辨率影像。",
    "Claimed {} turbines; not judged.": "申报{0}台风机；未作判断。",
    "Claimed {} turbines; {} new pads seen, older ones are not told at 10 m.": "申报{0}台风机；见{1}处新平台，更早的在10米分辨率下无法判断。",
    "{} new pads are seen; towers and blades are not seen at 10 m.": "见{0}处新平台；10米分辨率看不到塔筒和叶片。",
    "Claimed {} MW; {} new pads would carry {} to {} MW.": "申报{0} MW；{1}处新平台约可承载{2}至{3} MW。",
    "Claimed {} MW; no new pad is seen.": "申报{0} MW；未见新平台。",
    "Turbines and older pads are not told at 10 m.": "风机和更早的平台在10米分辨率下无法判断。",
    "Claimed {} turbines; {} new pads seen; older ones cannot be told at 10 m.": "申报{0}台风机；见{1}处新平台；更早的在10米分辨率下无法判断。",
    # -- pledges, law and planning
    "No other pledge in the registry that is in force on {} or later covers this land.": "登记库中没有在{0}或之后有效的其他抵押覆盖该土地。",
    "Parcels of this file are registered as project {*}; that does not count against them.": "本文件的地块已登记为项目{0}；不视为重复抵押。",
    "{} mu ({}) lie in {*} ({*}, {}); not a legal opinion.": "{0}亩（{1}）位于{2}内（{3}，{4}）；不构成法律意见。",
    "Overlays asked: {*}.": "已查询的图层：{0}。",
    "What they say is not a legal opinion.": "其结论不构成法律意见。",
    "{} mu ({}) are also pledged in {}": "{0}亩（{1}）同时抵押于{2}",
    "project {*} of branch {*} from {} on": "{1}分行的项目{0}，自{2}起",
    "project {*} of branch {*} from {} until {}": "{1}分行的项目{0}，{2}至{3}",
    "project {*} of branch {*} (parcel {*}) from {} on": "{1}分行的项目{0}（地块{2}），自{3}起",
    "project {*} of branch {*} (parcel {*}) from {} until {}": "{1}分行的项目{0}（地块{2}），{3}至{4}",
    "same file (parcel {*}) from {} on": "同一文件（地块{0}），自{1}起",
    "same file (parcel {*}) from {} until {}": "同一文件（地块{0}），{1}至{2}",
    "{}, where {} of the parcel is this land: one piece of land, drawn twice": "{0}，其地块有{1}即为该土地：同一土地重复绘制",
    "{}, a strip of {} m mean width: a crooked border or a real overlap": "{0}，为平均宽{1}米的条带：边界不齐或确有重叠",
    "{}; {} there": "{0}；{1}该处",
    "{}, which is this very parcel, and of one of the two no loan is named: if it is one pledge, name its loan in both or enter both as one project": "{0}，即为本地块，且两者之一未注明贷款：若为同一笔抵押，请在两处注明贷款，或登记为同一项目",
    "the same outline, moved {} m {}, {} m {}, as GCJ-02 in the one and BD-09 in the other do if both are taken for WGS 84, is": "同一图形，向{1}移{0}米、向{3}移{2}米（与一份为GCJ-02、另一份为BD-09且均误作WGS 84相符），见于",
    "the same outline, moved {} m {}, {} m {}, is": "同一图形，向{1}移{0}米、向{3}移{2}米，见于",
    "the same outline, moved {} m {}, {} m {}, as {*} taken for WGS 84 does, is": "同一图形，向{1}移{0}米、向{3}移{2}米（与{4}误作WGS 84相符），见于",
    "east": "东", "west": "西", "north": "北", "south": "南",
    "{} pledged in {}: maybe the same land, which needs a look at both deeds": "{0}{1}的抵押中：可能为同一土地，需核对两份权证",
    "{;}; and {} more.": "{0}；另有{1}处。",
    "{;}.": "{0}。",
    "project {*} of branch {*} (parcel {*}, loan {*}) from {} on": "{1}分行的项目{0}（地块{2}，贷款{3}），自{4}起",
    "project {*} of branch {*} (parcel {*}, loan {*}) from {} until {}": "{1}分行的项目{0}（地块{2}，贷款{3}），{4}至{5}",
    # -- look-back
    "Cannot tell what happened in the last {} years.": "无法判断最近{0}年内发生过什么。",
    "No event found; looks cover the last {} years.": "未发现事件；观测覆盖最近{0}年。",
    "No event found; looks cover {} of the last {} years.": "未发现事件；观测覆盖最近{1}年中的{0}年。",
    "1 event found; looks cover the last {} years.": "发现1项事件；观测覆盖最近{0}年。",
    "1 event found; looks cover {} of the last {} years.": "发现1项事件；观测覆盖最近{1}年中的{0}年。",
    "{} events found; looks cover the last {} years.": "发现{0}项事件；观测覆盖最近{1}年。",
    "{} events found; looks cover {} of the last {} years.": "发现{0}项事件；观测覆盖最近{2}年中的{1}年。",
    "The look-back is shorter than asked for.": "回溯时间短于要求。",
    # -- orthomosaics
    "no optical imagery of the satellite shows a parcel that it meets": "没有卫星光学影像显示其覆盖的地块",
    "there is no clear look of the satellite with a band in common": "没有与其波段相同的卫星无云观测",
    "it lies outside the imagery of the satellite": "位于卫星影像范围之外",
    "Orthomosaic {*} of {} was left out: it is later than {}, the day this result speaks for.": "{1}的正射影像{0}未采用：晚于本结果对应的{2}。",
    "To use it give a later as-of day.": "如需采用，请给出更晚的截止日。",
    "Orthomosaic {*} is dated {} by a tag in the file, which often is the day of processing, not of the flight.": "正射影像{0}的日期{1}取自文件标签，往往是处理日而非飞行日。",
    "Give the day of the flight to be sure.": "请给出飞行日期以确认。",
    "Orthomosaic {*} shows none of the parcels.": "正射影像{0}未覆盖任何地块。",
    "Orthomosaic {*} is damaged: {*}.": "正射影像{0}已损坏：{1}。",
    "Orthomosaic {*} was not read here: the parcel is too large for its resolution of {} m.": "正射影像{0}在此未读取：地块相对其{1}米分辨率过大。",
    "Export it at a coarser one.": "请以较低分辨率导出。",
    "Orthomosaic {*} of {} shows {} of the parcel.": "{1}的正射影像{0}覆盖地块的{2}。",
}  # fmt: skip
"""By English template. ``{}`` is a number, a day, a percentage or another entry of this table; ``{*}`` is a name of the user's or a
code, shown as it is; ``{;}`` and ``{,}`` are lists of entries. In the counterpart ``{0:ha}`` and ``{0:m2}`` are areas, in mu first."""

_GAP = re.compile(r"\{([*;,]?)\}")
_AREAS = re.compile(r"\{(\d+):")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_SENTENCES = re.compile(r"(?<=[.!?]) +(?=[A-Z0-9])")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_CODES = r"NDVI|NDMI|NBR|MNDWI|NIR|MW|km2|dB|sentinel-[12][a-d]?|none"
_DATA = re.compile(rf"(?:[\d\s.,:%+\-−–()/']|{_CODES})*", re.IGNORECASE)


class _Value(str):
    """What stands in a gap: ``ha`` and ``m2`` as format specification turn it into mu first."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if spec not in ("ha", "m2"):
            return str(self)
        size_m2 = float(self.replace(",", "")) * (1e4 if spec == "ha" else 1.0)
        unit = "公顷" if spec == "ha" else "平方米"
        return f"{size_m2 / MU_M2:,.{1 if size_m2 < 1e6 else 0}f}亩（{self}{unit}）"


def in_chinese(text: str) -> str:
    """A text of the stages in Chinese; each sentence that the catalogue does not have stays as it is."""
    whole = _one(text)
    if whole is not None:
        return whole
    found = [(_one(sentence), sentence) for sentence in _SENTENCES.split(text)]
    joined = ""
    for known, sentence in found:
        joined += known if known is not None else f" {sentence} " if joined else f"{sentence} "
    return joined.strip()


def lacking(text: str) -> list[str]:
    """Sentences of a text that have no counterpart."""
    if _one(text) is not None:
        return []
    return [sentence for sentence in _SENTENCES.split(text) if _one(sentence) is None]


def _one(text: str, depth: int = 0) -> str | None:
    """Counterpart of one sentence or phrase; None where there is none."""
    if text in CHINESE:
        return CHINESE[text]
    if depth > 4 or len(text) > 2_000:
        return None
    for pattern, kinds, chinese in _templates():
        found = pattern.fullmatch(text)
        if found is None:
            continue
        values = [_fill(value, kind, depth) for value, kind in zip(found.groups(), kinds, strict=True)]
        areas = map(int, _AREAS.findall(chinese))
        if any(not _NUMBER.fullmatch(found[n + 1]) for n in areas):
            continue
        if None not in values:
            return chinese.format(*(_Value(value) for value in values))
    return None


def _fill(value: str, kind: str, depth: int) -> str | None:
    if kind == "*":
        return value
    if kind:
        parts = [_one(part, depth + 1) for part in value.split(f"{kind} ")]
        return None if None in parts else {";": "；", ",": "、"}[kind].join(part for part in parts if part is not None)
    if _DATA.fullmatch(value):
        return _DAY.sub(lambda day: f"{day[1]}年{int(day[2])}月{int(day[3])}日", value)
    return _one(value, depth + 1)


@cache
def _templates() -> tuple[tuple[re.Pattern[str], tuple[str, ...], str], ...]:
    """Patterns of the entries with gaps, those with most text of their own first."""
    entries = []
    for english, chinese in CHINESE.items():
        kinds = tuple(found[1] for found in _GAP.finditer(english))
        if kinds:
            pieces = [re.escape(piece) for piece in re.split(r"\{[*;,]?\}", english)]
            entries.append((len("".join(pieces)), re.compile("(.+?)".join(pieces)), kinds, chinese))
    entries.sort(key=lambda entry: -entry[0])
    return tuple(entry[1:] for entry in entries)
