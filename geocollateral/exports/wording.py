"""Every word of the report, in each language, and how numbers and dates are put.

Sentences of the stages (`Alert.reasons`, ``meta_reason``, notes) are English; `sentences` has them in Chinese.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geocollateral.errors import InvalidInput
from geocollateral.exports import claim_words
from geocollateral.exports.sentences import in_chinese
from geocollateral.types import MU_M2, Shift

ENGLISH: Mapping[str, str] = {
    "dash": "–",
    "list_separator": ", ",
    "clause_separator": ", ",
    "full_stop": ".",
    "title": "Satellite due diligence of collateral",
    "skip": "Skip to the parcels",
    "as_of": "As of",
    "run_id": "Run",
    "terminal.parcel": "Parcel",
    "terminal.area": "Area",
    "terminal.state": "State",
    "terminal.value": "Value",
    "terminal.found": "What to look into",
    "terminal.separator": "; ",
    "terminal.mismatch": "claim does not match: {claim}",
    "terminal.early": "early warning: {alert}",
    "asset_class": "Asset class",
    "asset.agriculture": "farmland",
    "asset.forestry": "forest",
    "asset.solar": "solar plant",
    "asset.wind": "wind plant",
    "asset.construction": "building site",
    "asset.aquaculture": "aquaculture",
    # -- status
    "state.fine": "No confirmed change",
    "state.attention": "Needs attention",
    "state.cannot_tell": "Cannot tell",
    "state.fine.meaning": "enough clear looks, and no confirmed change in them",
    "state.attention.meaning": "something changed, or a claim does not match; read why before lending",
    "state.cannot_tell.meaning": "the imagery does not answer; this is not “no change”. Inspect on site",
    # -- summary
    "risk": "Risk",
    "risk.score": "Probability of an adverse event within half a year: {percent}. A supporting figure, not a decision.",
    "risk.none": "No risk score: cannot tell.",
    "risk.raised": "Raised by {what}.",
    "risk.lowered": "Lowered by {what}.",
    "risk.breach": "Rule broken: {rule} {reason}",
    "risk_code.circumstances": "asset class, season and size",
    "risk_code.early_warning": "warnings and works told so far",
    "risk_code.greenness": "greenness against its usual course",
    "risk_code.radar": "radar against its usual course",
    "risk_code.looks": "how well it was seen",
    "risk_code.loan": "figures of the loan",
    "verdict.none": "No parcel could be judged.",
    "verdict.fine.one": "The one parcel shows no confirmed change.",
    "verdict.fine.other": "All {n} parcels show no confirmed change.",
    "verdict.fine_rest.one": "No confirmed change in the one parcel that could be judged; {m} could not be.",
    "verdict.fine_rest.other": "No confirmed change in the {n} parcels that could be judged; {m} could not be.",
    "verdict.attention.one": "{n} of {total} parcels needs attention before lending.",
    "verdict.attention.other": "{n} of {total} parcels need attention before lending.",
    "verdict.attention_rest.one": "{n} of {total} parcels needs attention before lending; {m} could not be judged.",
    "verdict.attention_rest.other": "{n} of {total} parcels need attention before lending; {m} could not be judged.",
    "summary": "In short",
    "parcels.one": "parcel",
    "parcels.other": "parcels",
    "area_total": "Area of all parcels",
    "area_disturbed_total": "Disturbed area found",
    "value_total": "Value, low to high",
    "value_total.note": "Sum over {n} of {total} parcels with a value; low and high as if all erred the same way.",
    "value_total.none": "No value given",
    "value_total.none.note": "No unit values were supplied, or no parcel could be judged.",
    "period": "Imagery",
    "period.note.one": "{n} scene with a clear look",
    "period.note.other": "{n} scenes with a clear look",
    "alerts": "Alerts",
    "alerts.none": "No alert.",
    "severity.high": "High",
    "severity.medium": "Medium",
    "severity.low": "Low",
    "alert.sentence": "{rule} in {parcel}: {area}, between {before} and {after}.",
    "alert.when": "between {before} and {after}",
    "alert.confirmed": "Confirmed {date}",
    "alert.warned": "warned of on {date}",
    "alert.sensors": "seen by {sensors}",
    "alert.probability": "evidence score {percent} (not calibrated)",
    "alert.calibrated": "right in {percent} of the cases it was calibrated on",
    "alert.evidence": "Evidence",
    "alert.status": "status",
    "alert_status.open": "open",
    "alert_status.new": "new",
    "alert_status.confirmed": "confirmed",
    "alert_status.dismissed": "dismissed",
    "alert_status.closed": "closed",
    "alert_status.resolved": "resolved",
    "rule.stand_loss": "Loss of stand",
    "figure.obs_pv_present": "Solar modules",
    "figure.obs_capacity_mw": "Capacity",
    "figure.obs_pv_share_frac": "Share under modules",
    "figure.obs_pv_area_m2": "Ground under modules",
    "figure.chg_pv_first_works": "First works",
    "figure.chg_pv_last_works": "Complete",
    "figure.obs_pv_overgrown": "Overgrown",
    "figure.obs_new_pads": "New turbine pads",
    "rule.pv_overgrown": "Modules overgrown",
    "claim.capacity": "Capacity",
    "claim.turbines": "Turbines",
    "word.grass_or_trees": "grass, orchard or trees",
    "word.covered_or_sparse": "greenhouse, plastic or bare ground",
    "word.yes": "yes",
    "word.no": "no",
    "figure.obs_status": "State of works",
    "figure.obs_progress_frac": "Progress of works",
    "figure.obs_built_share_frac": "Built share",
    "figure.obs_cleared_share_frac": "Cleared share",
    "figure.chg_started_on": "Works began",
    "figure.chg_stalled_since": "Stalled since",
    "figure.chg_finished_on": "Works finished",
    "figure.obs_use": "Use seen",
    "figure.obs_cropped_m2": "Under crop",
    "figure.obs_crops_per_year_n": "Crops a year",
    "figure.obs_last_emergence": "Last emergence",
    "figure.obs_last_harvest": "Last harvest",
    "figure.obs_last_peak_ndvi": "Last peak NDVI",
    "figure.obs_vigour_z": "Vigour against peers",
    "figure.chg_failed_m2": "Crop failed",
    "figure.chg_idle_since": "Idle since",
    "figure.chg_flooded_m2": "Flooded",
    "figure.chg_cleared_m2": "Cleared or built over",
    "figure.obs_water_m2": "Water area",
    "figure.obs_water_share_frac": "Water share",
    "figure.chg_pond_state": "Ponds",
    "figure.chg_dry_since": "Dry since",
    "figure.chg_decline_share_frac": "Canopy lost by decline",
    "figure.chg_main_cause": "Likely cause",
    "figure.chg_regrown_share_frac": "Regrown share",
    "figure.obs_damage_share_frac": "Burnt or flooded share",
    "figure.obs_damage_severe_frac": "Severely burnt share",
    "figure.obs_damage_first_look": "First look after the fire or flood",
    "figure.obs_damage_window_missed": "Looks came too late for its full extent",
    "figure.obs_alien_share_frac": "Part of another use",
    "rule.stand_decline": "Decline of stand",
    "rule.pond_drained": "Pond drained",
    "rule.pond_empty": "Pond lies dry",
    "rule.construction_start": "Works begun",
    "rule.works_suspected": "Works seem to have begun",
    "rule.construction_stall": "Works at a standstill",
    "rule.stall_suspected": "Works seem to stand still",
    "rule.demolition": "Demolition",
    "rule.crop_failure": "Crop failure",
    "rule.abandonment": "Land abandoned",
    "rule.missed_season": "Season missed",
    "rule.flood": "Flooded",
    "rule.land_preparation": "Land cleared",
    "rule.encroachment": "Built over",
    "rule.pv_build": "Solar plant built",
    "rule.wind_build": "Wind turbine built",
    "claim.polygon": "Outline of the parcel",
    "claim.stage": "Stage of works",
    "claim.water": "Water share",
    "alert.early": "early warning, not confirmed yet",
    "word.not_started": "not started",
    "word.progressing": "progressing",
    "word.stalled": "stalled",
    "word.finished": "finished",
    "word.built": "built",
    "word.demolished": "demolished",
    "word.dry": "dry",
    "word.water": "filled with water",
    "word.no pond": "no pond",
    "word.field": "field crops",
    "word.orchard": "orchard or trees",
    "word.grass": "grass",
    "word.cover": "covered or built",
    "word.clear_cut": "clear-cut",
    "word.thinning": "thinning",
    "word.fire": "fire",
    "word.storm": "storm",
    "word.insects": "insects or drought",
    "word.conversion": "conversion to building",
    # -- map
    "map": "Map",
    "map.alt": "Satellite picture of {date} with the numbered outlines of {n} parcels",
    "map.caption": "Picture of {date}, scene {scene}. Disturbed pixels are coloured by the year of the break.",
    "map.disturbed": "Disturbed in",
    "map.none": "No map: no clear picture of the whole area.",
    "map.outside": "Outside this picture: {parcels}.",
    "map.metres": "{n} m",
    "map.kilometres": "{n} km",
    "map.north": "N",
    "map.north.alt": "North",
    # -- table
    "table": "All parcels",
    "col.parcel": "Parcel",
    "col.status": "Status",
    "col.area": "Area",
    "col.seen": "What is seen",
    "col.disturbed": "Disturbed",
    "col.value": "Value, low to high",
    "col.alerts": "Alerts",
    "alerts_count.one": "{n} alert",
    "alerts_count.other": "{n} alerts",
    "not_judged": "not judged",
    "not_given": "not given",
    "none": "none",
    # -- parcel
    "parcel": "Parcel",
    "why": "Why",
    "say.fine.one": "No change was found in {n} clear look from {first} to {last}.",
    "say.fine.other": "No change was found in {n} clear looks from {first} to {last}.",
    "say.fine.plain": "No change was found.",
    "say.cannot_tell": "The imagery cannot answer for this parcel. This is not “no change”: nothing is known.",
    "say.cannot_tell.alerts": "Even so, the alerts below were raised.",
    "say.no_reason": "No reason was recorded.",
    "say.attention.one": "{n} alert calls for a look at this parcel.",
    "say.attention.other": "{n} alerts call for a look at this parcel.",
    "say.suspected": "A change is suspected since {date}. It is not confirmed yet: more clear looks will settle it.",
    "say.mean": "The mean of the whole parcel left its season between {before} and {after}, but no patch of its pixels "
    "changed for good: no alert follows.",
    "say.mismatch": "What was claimed does not match what is seen: {claims}.",
    "say.recovered": "Greening again since {date}; low plants count as green too.",
    "say.ended": "One of these changes ended by {date}.",
    "say.closed_alerts": "Earlier alerts here are closed; they are listed below.",
    "key_figures": "Key figures",
    "days.one": "{n} day",
    "days.other": "{n} days",
    "fig.area": "Area",
    "fig.living": "Living stand",
    "fig.disturbed": "Disturbed",
    "fig.range": "{low} to {high}",
    "fig.value": "Value, low to high",
    "fig.value_mid": "middle {value}",
    "fig.grade": "Grade",
    "fig.looks": "Clear looks",
    "fig.last_clear": "Last clear look",
    "fig.risk": "Risk score",
    "fig.ltv": "Loan to value",
    "chart": "{index} over time",
    "chart.alt": "Chart of {index} of parcel {parcel} from {first} to {last}: {looks} clear looks.",
    "chart.alt.break": "A break between {before} and {after}.",
    "chart.alt.no_break": "No break.",
    "chart.look": "{date}: {value} ({percent} of the parcel clear)",
    "chart.key.clear": "clear look",
    "chart.key.partial": "less than {percent} of the parcel clear",
    "chart.key.baseline": "expected for the season, with its usual spread",
    "chart.key.break": "break: between the last clear look before and the first after",
    "chart.key.detected": "confirmed",
    "chart.key.recovered": "greening again",
    "chart.key.uninformative": "season that cannot tell (leafless or snow)",
    "chart.break": "break {before} to {after}",
    "chart.none": "No chart: there was no clear look.",
    "index.meaning.ndvi": "NDVI: greenness, 0 bare to about 0.9 dense leaf",
    "index.meaning.nbr": "NBR: moisture and leaf against bare or burnt ground",
    "index.meaning.ndmi": "NDMI: water in the canopy",
    "stages": "Stages through time, percent of the parcel",
    "stages.alt": "Stages of parcel {parcel} from {first} to {last}; on the last date:",
    "stage.vegetated": "vegetated",
    "stage.water": "water",
    "stage.cleared": "cleared",
    "stage.building": "under construction",
    "stage.built": "built",
    "seasons": "Crop seasons, the newest first",
    "season.crop": "Crop season",
    "season.emerged": "Emergence",
    "season.peak": "Peak",
    "season.harvested": "Harvest",
    "season.peak_ndvi": "Peak NDVI",
    "season.vigour_z": "Vigour against peers",
    "season.status": "Status",
    "season.note": "Note",
    "chips": "Before and after",
    "chips.latest": "Latest picture",
    "chips.plain": "Pictures",
    "role.before": "Before",
    "role.after": "After",
    "role.latest": "Latest",
    "role.ortho": "Orthomosaic",
    "sensor.drone": "Drone",
    "sensor.aerial": "Aeroplane",
    "chip.alt": "{role}: picture of parcel {parcel} on {date}",
    "chip.clear": "{percent} clear",
    "chip.across": "{metres} m across",
    "chip.pixel": "pixels of {metres} m",
    "chip.shows": "shows {percent} of the parcel",
    "chip.resolution": "{native} m resolution, here {shown} m",
    "ortho.means": "means: {values}",
    "ortho.shift.agrees": "in place against Sentinel-2: {where}, ±\u00a0{sigma}\u00a0m",
    "ortho.shift.reported": "lies {where} of Sentinel-2, ±\u00a0{sigma}\u00a0m; shown as it is",
    "ortho.shift.corrected": "lay {where} of Sentinel-2, ±\u00a0{sigma}\u00a0m; moved back by that",
    "ortho.shift.cannot_tell": "its place against Sentinel-2 cannot be told",
    "ortho.east": "{metres} m east",
    "ortho.west": "{metres} m west",
    "ortho.north": "{metres} m north",
    "ortho.south": "{metres} m south",
    "yearly": "Year by year",
    "year": "Year",
    "yearly.living": "Living stand",
    "yearly.disturbed": "Disturbed",
    "yearly.looks": "Clear looks",
    "yearly.no_looks": "cannot tell",
    "claims": "Claims against what is seen",
    "claim.living": "Living stand, of the parcel",
    "claim.living_share_frac": "Living stand claimed",
    "claim.area": "Area",
    "claim.area_mu": "Area claimed (mu)",
    "claim.area_m2": "Area claimed (m2)",
    "claim.area_ha": "Area claimed (ha)",
    "claim.use": "Use",
    "claim.planted_on": "Planted on",
    "claim.volume_m3": "Volume claimed (m3)",
    "claim.loan_id": "Loan",
    "claim.loan_borrower_id": "Borrower",
    "claim.loan_outstanding": "Loan outstanding",
    "claim.loan_currency": "Currency of the loan",
    "claim.loan_maturity": "Loan falls due",
    "claim.loan_amount": "Amount of the loan",
    "claim.loan_start": "Loan runs from",
    "claim.loan_pledged_from": "Pledged from",
    "claim.loan_pledged_to": "Pledged until",
    "claim.pledge": "Free of other pledges",
    "pledges": "Other pledges of the same land",
    "pledges.kind": "Kind",
    "pledges.with": "Pledged in",
    "pledges.area": "Land in common",
    "pledges.share": "Of this parcel",
    "pledges.span": "Both pledged",
    "pledges.project": "project {project}, branch {branch}",
    "pledges.same_file": "another loan of this file, parcel {parcel}",
    "pledges.open": "open",
    "shared.overlap": "overlap",
    "shared.redrawn": "the same land, drawn twice",
    "shared.border_strip": "thin strip: crooked border or overlap",
    "shared.moved": "maybe the same land, drawn elsewhere",
    "overlays": "Law and planning",
    "overlays.note": "Layers that the user supplied. This is not a legal opinion.",
    "overlays.layer": "Layer",
    "overlays.source": "Source",
    "verdict.match": "match",
    "verdict.mismatch": "mismatch",
    "verdict.cannot_tell": "cannot tell",
    "limits": "Limits for this parcel",
    "limit.few_looks": "Only {n} clear looks: a short or recent change may be missed.",
    "limit.last_clear": "Not seen clearly since {date}, {days} days before the date of this report.",
    "limit.small": "At {area} the parcel has few whole pixels; its edges mix with the neighbours.",
    "limit.interval": "The break of {after} may have happened on any day from {before}: no clear look in between.",
    "limit.unstable": "The history is unsteady ({index}); the baseline is less reliable than elsewhere.",
    "limit.gap": "The longest time without a clear look was {days} days, from {first} to {last}.",
    "limit.winter": "Shaded seasons cannot tell a felling in leafless forest.",
    "limit.ortho_part": "The {sensor} orthomosaic of {date} shows only {percent} of the parcel.",
    "limit.ortho_place": "The place of the {sensor} orthomosaic of {date} could not be compared with Sentinel-2: it "
    "may lie some metres off.",
    "limit.none": "None beyond those of the method.",
    # -- end matter
    "method": "Method and limits",
    "method.1": "Parcels are laid over Sentinel images on the images' own grid; nothing is resampled. Clouds, shadow "
    "and snow are left out, and a second screen removes looks that stand out from those around them.",
    "method.2": "A seasonal baseline is fitted to each parcel's and each pixel's own history. A change counts once "
    "several clear looks in a row depart from it, and is dated between the last clear look before and the first after.",
    "method.3": "A pixel is 10 m wide. Thinning below the canopy, single trees, species, volume and ownership are not "
    "seen. Deciduous forest in winter looks the same felled or standing.",
    "method.4": "“Cannot tell” is an answer. It has no number anywhere in this report and must not be read as “no "
    "change”.",
    "method.5": "Value is the observed area or capacity times figures supplied by the user, as an interval. It is no "
    "appraisal. This report is a supporting tool, not a valuation; a qualified valuer decides and signs.",
    "signoff": "Sign-off",
    "signoff.note": "To be completed by the valuer or loan officer.",
    "signoff.decision": "Decision and conditions",
    "signoff.name": "Name",
    "signoff.role": "Function and licence no.",
    "signoff.date": "Date",
    "signoff.signature": "Signature",
    "sources": "Sources and licences",
    "sources.licence": "Licence",
    "sources.attribution": "Attribution",
    "orthos": "Orthomosaics",
    "orthos.note": "Pictures of very high resolution supplied by the user. They are shown beside the satellite’s as "
    "looks of a sensor of their own; no alert, verdict or value of this report rests on them.",
    "orthos.file": "File",
    "orthos.date": "Date",
    "orthos.date.tag": "by a tag in the file",
    "orthos.resolution": "Resolution",
    "orthos.bands": "Bands",
    "orthos.units.reflectance": "reflectance",
    "orthos.units.digital_numbers": "digital numbers, not comparable with the satellite’s values",
    "orthos.place": "Place against Sentinel-2",
    "orthos.parcels": "Parcels shown",
    "scenes": "Scenes",
    "scenes.found.one": "{n} scene found.",
    "scenes.found.other": "{n} scenes found.",
    "scenes.platform": "Platform",
    "scenes.year": "Year",
    "scenes.count": "Scenes",
    "scenes.bands": "Scene x band",
    "scenes.total": "All",
    "read_status.ok": "read",
    "read_status.masked": "masked",
    "read_status.outside": "outside",
    "read_status.missing": "missing",
    "read_status.corrupt": "corrupt",
    "read_status.quarantined": "set aside",
    "notes": "Notes on the parcel file",
    "notes.none": "None: the file was taken as it is.",
    "note.repair": "Repaired",
    "note.warning": "Warning",
    "note.reading": "Understood",
    "note.file": "whole file",
    "record": "Record of the run",
    "record.settings": "Settings",
    "record.versions": "Versions",
    "record.inputs": "Inputs",
    "footer": "Exact figures are in parcels.geojson; amounts here are rounded to three significant figures.",
}

CHINESE: Mapping[str, str] = {
    "dash": "—",
    "list_separator": "、",
    "clause_separator": "，",
    "full_stop": "。",
    "title": "抵押物卫星遥感尽职调查报告",
    "skip": "跳至地块清单",
    "as_of": "截止日期",
    "run_id": "运行编号",
    "terminal.parcel": "地块",
    "terminal.area": "面积",
    "terminal.state": "结论",
    "terminal.value": "参考价值",
    "terminal.found": "须核实事项",
    "terminal.separator": "；",
    "terminal.mismatch": "申报与影像不符：{claim}",
    "terminal.early": "早期预警：{alert}",
    "asset_class": "资产类别",
    "asset.agriculture": "农用地",
    "asset.forestry": "林地",
    "asset.solar": "光伏电站",
    "asset.wind": "风电场",
    "asset.construction": "在建工程",
    "asset.aquaculture": "水产养殖",
    "state.fine": "无确认变化",
    "state.attention": "需关注",
    "state.cannot_tell": "无法判断",
    "state.fine.meaning": "有效观测充足，没有得到确认的变化",
    "state.attention.meaning": "发生变化，或申报与影像不符；放款前须核实原因",
    "state.cannot_tell.meaning": "影像不足以作出结论，不等于“未发现变化”，须现场核查",
    "risk": "风险",
    "risk.score": "半年内发生不利事件的概率为{percent}。仅供参考，不构成决定。",
    "risk.none": "无风险评分：无法判断。",
    "risk.raised": "使评分升高：{what}。",
    "risk.lowered": "使评分降低：{what}。",
    "risk.breach": "违反规则：{rule}{reason}",
    "risk_code.circumstances": "资产类别、季节和面积",
    "risk_code.early_warning": "已有预警和施工",
    "risk_code.greenness": "植被绿度与往常相比",
    "risk_code.radar": "雷达与往常相比",
    "risk_code.looks": "观测充分程度",
    "risk_code.loan": "贷款数据",
    "verdict.none": "所有地块均无法判断。",
    "verdict.fine.one": "该地块没有得到确认的变化。",
    "verdict.fine.other": "全部 {n} 宗地块均没有得到确认的变化。",
    "verdict.fine_rest.one": "可判断的 1 宗地块没有得到确认的变化；另有 {m} 宗无法判断。",
    "verdict.fine_rest.other": "可判断的 {n} 宗地块没有得到确认的变化；另有 {m} 宗无法判断。",
    "verdict.attention.one": "{total} 宗地块中有 {n} 宗须在放款前核实。",
    "verdict.attention.other": "{total} 宗地块中有 {n} 宗须在放款前核实。",
    "verdict.attention_rest.one": "{total} 宗地块中有 {n} 宗须在放款前核实；{m} 宗无法判断。",
    "verdict.attention_rest.other": "{total} 宗地块中有 {n} 宗须在放款前核实；{m} 宗无法判断。",
    "summary": "结论摘要",
    "parcels.one": "宗地块",
    "parcels.other": "宗地块",
    "area_total": "地块总面积",
    "area_disturbed_total": "发现的受扰动面积",
    "value_total": "参考价值区间",
    "value_total.note": "{total} 宗地块中 {n} 宗有参考价值，直接加总；上下限按各宗同向偏差计。",
    "value_total.none": "未给出参考价值",
    "value_total.none.note": "未提供单价，或没有可判断的地块。",
    "period": "影像时段",
    "period.note.one": "{n} 景有清晰观测",
    "period.note.other": "{n} 景有清晰观测",
    "alerts": "预警",
    "alerts.none": "无预警。",
    "severity.high": "高",
    "severity.medium": "中",
    "severity.low": "低",
    "alert.sentence": "{parcel}：{rule}，{area}，发生于 {before} 至 {after} 之间。",
    "alert.when": "{before} 至 {after} 之间",
    "alert.confirmed": "确认日期 {date}",
    "alert.warned": "{date} 已发出预警",
    "alert.sensors": "观测来源 {sensors}",
    "alert.probability": "证据评分 {percent}（尚未校准）",
    "alert.calibrated": "校准样本中同类情况 {percent} 属实",
    "alert.evidence": "证据",
    "alert.status": "状态",
    "alert_status.open": "待处理",
    "alert_status.new": "新增",
    "alert_status.confirmed": "已核实",
    "alert_status.dismissed": "已排除",
    "alert_status.closed": "已关闭",
    "alert_status.resolved": "已处置",
    "rule.stand_loss": "林木损失",
    "figure.obs_pv_present": "光伏组件",
    "figure.obs_capacity_mw": "装机容量",
    "figure.obs_pv_share_frac": "组件占地比例",
    "figure.obs_pv_area_m2": "组件占地面积",
    "figure.chg_pv_first_works": "最早施工",
    "figure.chg_pv_last_works": "完工",
    "figure.obs_pv_overgrown": "杂草遮挡",
    "figure.obs_new_pads": "新增风机平台",
    "rule.pv_overgrown": "组件被植被遮挡",
    "claim.capacity": "装机容量",
    "claim.turbines": "风机数量",
    "word.grass_or_trees": "草地、果园或树木",
    "word.covered_or_sparse": "温室、地膜或裸地",
    "word.yes": "是",
    "word.no": "否",
    "figure.obs_status": "施工状态",
    "figure.obs_progress_frac": "施工进度",
    "figure.obs_built_share_frac": "已建成占比",
    "figure.obs_cleared_share_frac": "已平整占比",
    "figure.chg_started_on": "开工日期",
    "figure.chg_stalled_since": "停工起始",
    "figure.chg_finished_on": "完工日期",
    "figure.obs_use": "影像所见用途",
    "figure.obs_cropped_m2": "种植面积",
    "figure.obs_crops_per_year_n": "年种植季数",
    "figure.obs_last_emergence": "最近出苗",
    "figure.obs_last_harvest": "最近收获",
    "figure.obs_last_peak_ndvi": "最近峰值 NDVI",
    "figure.obs_vigour_z": "长势（相对同类地块）",
    "figure.chg_failed_m2": "歉收面积",
    "figure.chg_idle_since": "闲置起始",
    "figure.chg_flooded_m2": "受淹面积",
    "figure.chg_cleared_m2": "被平整或占建面积",
    "figure.obs_water_m2": "水面面积",
    "figure.obs_water_share_frac": "水面占比",
    "figure.chg_pond_state": "池塘状态",
    "figure.chg_dry_since": "干涸起始",
    "figure.chg_decline_share_frac": "林冠衰退比例",
    "figure.chg_main_cause": "可能原因",
    "figure.chg_regrown_share_frac": "恢复比例",
    "figure.obs_damage_share_frac": "过火或受淹比例",
    "figure.obs_damage_severe_frac": "重度过火比例",
    "figure.obs_damage_first_look": "火灾或洪水后首次观测",
    "figure.obs_damage_window_missed": "观测过晚，未能反映全部范围",
    "figure.obs_alien_share_frac": "他用途部分占比",
    "rule.stand_decline": "林分衰退",
    "rule.pond_drained": "池塘排干",
    "rule.pond_empty": "池塘无水",
    "rule.construction_start": "开工",
    "rule.works_suspected": "疑似开工",
    "rule.construction_stall": "停工",
    "rule.stall_suspected": "疑似停工",
    "rule.demolition": "拆除",
    "rule.crop_failure": "作物歉收",
    "rule.abandonment": "撂荒",
    "rule.missed_season": "漏种一季",
    "rule.flood": "受淹",
    "rule.land_preparation": "土地被平整",
    "rule.encroachment": "被占建",
    "rule.pv_build": "光伏建设",
    "rule.wind_build": "风机建设",
    "claim.polygon": "地块边界",
    "claim.stage": "施工阶段",
    "claim.water": "水面占比",
    "alert.early": "早期预警，尚未确认",
    "word.not_started": "未开工",
    "word.progressing": "施工中",
    "word.stalled": "停工",
    "word.finished": "已完工",
    "word.built": "已建成",
    "word.demolished": "已拆除",
    "word.dry": "干涸",
    "word.water": "有水",
    "word.no pond": "无池塘",
    "word.field": "大田作物",
    "word.orchard": "果园或树木",
    "word.grass": "草地",
    "word.cover": "设施或建筑覆盖",
    "word.clear_cut": "皆伐",
    "word.thinning": "间伐",
    "word.fire": "火灾",
    "word.storm": "风灾",
    "word.insects": "病虫害或干旱",
    "word.conversion": "转为建设",
    "map": "位置图",
    "map.alt": "{date} 卫星影像，标注 {n} 宗地块边界及编号",
    "map.caption": "影像日期 {date}，景号 {scene}。受扰动像元按发生年份着色。",
    "map.disturbed": "受扰动年份",
    "map.none": "无位置图：没有覆盖全部区域的清晰影像。",
    "map.outside": "不在本图范围内：{parcels}。",
    "map.metres": "{n} 米",
    "map.kilometres": "{n} 公里",
    "map.north": "北",
    "map.north.alt": "指北",
    "table": "地块清单",
    "col.parcel": "地块",
    "col.status": "结论",
    "col.area": "面积",
    "col.seen": "影像所见",
    "col.disturbed": "受扰动面积",
    "col.value": "参考价值区间",
    "col.alerts": "预警",
    "alerts_count.one": "{n} 条",
    "alerts_count.other": "{n} 条",
    "not_judged": "不作判断",
    "not_given": "未提供",
    "none": "无",
    "parcel": "地块",
    "why": "理由",
    "say.fine.one": "{first} 至 {last} 的 {n} 次有效观测中未发现变化。",
    "say.fine.other": "{first} 至 {last} 的 {n} 次有效观测中未发现变化。",
    "say.fine.plain": "未发现变化。",
    "say.cannot_tell": "影像无法对该地块作出结论。这不等于“未发现变化”，而是情况未知。",
    "say.cannot_tell.alerts": "尽管如此，仍触发了下列预警。",
    "say.no_reason": "未记录原因。",
    "say.attention.one": "有 {n} 条预警须核实。",
    "say.attention.other": "有 {n} 条预警须核实。",
    "say.suspected": "自 {date} 起疑似发生变化，尚未确认，有待更多清晰观测。",
    "say.mean": "{before} 至 {after} 之间地块均值偏离季节基线，但未见成片像元发生持久变化，故不触发预警。",
    "say.mismatch": "申报内容与影像不符：{claims}。",
    "say.recovered": "自 {date} 起植被返绿（草灌亦计入）。",
    "say.ended": "其中一项变化截至 {date} 已结束。",
    "say.closed_alerts": "该地块此前的预警已关闭，列示如下。",
    "key_figures": "主要指标",
    "days.one": "{n} 天",
    "days.other": "{n} 天",
    "fig.area": "面积",
    "fig.living": "活立木占比",
    "fig.disturbed": "受扰动面积",
    "fig.range": "{low} 至 {high}",
    "fig.value": "参考价值区间",
    "fig.value_mid": "中位 {value}",
    "fig.grade": "等级",
    "fig.looks": "有效观测次数",
    "fig.last_clear": "最近一次清晰观测",
    "fig.risk": "风险评分",
    "fig.ltv": "贷款价值比（LTV）",
    "chart": "{index} 时间序列",
    "chart.alt": "地块 {parcel} 的 {index} 曲线，{first} 至 {last}，共 {looks} 次有效观测。",
    "chart.alt.break": "{before} 至 {after} 之间发生突变。",
    "chart.alt.no_break": "未见突变。",
    "chart.look": "{date}：{value}（地块清晰比例 {percent}）",
    "chart.key.clear": "有效观测",
    "chart.key.partial": "地块清晰比例低于 {percent}",
    "chart.key.baseline": "季节基线及其正常波动范围",
    "chart.key.break": "突变区间：此前最后一次与此后第一次清晰观测之间",
    "chart.key.detected": "确认",
    "chart.key.recovered": "植被恢复",
    "chart.key.uninformative": "无法判断的季节（落叶或积雪）",
    "chart.break": "突变 {before} 至 {after}",
    "chart.none": "无曲线：没有有效观测。",
    "index.meaning.ndvi": "NDVI：植被绿度，0 为裸地，约 0.9 为茂密叶冠",
    "index.meaning.nbr": "NBR：区分湿润叶冠与裸地或火烧迹地",
    "index.meaning.ndmi": "NDMI：冠层含水量",
    "stages": "各阶段随时间的变化（占地块百分比）",
    "stages.alt": "地块 {parcel} 自 {first} 至 {last} 的各阶段占比；最后一日：",
    "stage.vegetated": "植被",
    "stage.water": "水面",
    "stage.cleared": "已平整",
    "stage.building": "施工中",
    "stage.built": "已建成",
    "seasons": "作物季（最近的在前）",
    "season.crop": "作物季",
    "season.emerged": "出苗",
    "season.peak": "长势高峰",
    "season.harvested": "收获",
    "season.peak_ndvi": "峰值 NDVI",
    "season.vigour_z": "长势（相对同类地块）",
    "season.status": "状态",
    "season.note": "备注",
    "chips": "变化前后影像",
    "chips.latest": "最新影像",
    "chips.plain": "影像",
    "role.before": "变化前",
    "role.after": "变化后",
    "role.latest": "最新",
    "role.ortho": "正射影像",
    "sensor.drone": "无人机",
    "sensor.aerial": "航空摄影",
    "chip.alt": "{role}：地块 {parcel} 于 {date} 的影像",
    "chip.clear": "清晰比例 {percent}",
    "chip.across": "幅宽 {metres} 米",
    "chip.pixel": "像元 {metres} 米",
    "chip.shows": "覆盖地块的 {percent}",
    "chip.resolution": "分辨率 {native} 米，此处 {shown} 米",
    "ortho.means": "均值：{values}",
    "ortho.shift.agrees": "与 Sentinel-2 位置一致：{where}，± {sigma} 米",
    "ortho.shift.reported": "相对 Sentinel-2 {where}，± {sigma} 米；按原位置显示",
    "ortho.shift.corrected": "原相对 Sentinel-2 {where}，± {sigma} 米；已改正",
    "ortho.shift.cannot_tell": "无法判断其相对 Sentinel-2 的位置",
    "ortho.east": "偏东 {metres} 米",
    "ortho.west": "偏西 {metres} 米",
    "ortho.north": "偏北 {metres} 米",
    "ortho.south": "偏南 {metres} 米",
    "yearly": "逐年情况",
    "year": "年份",
    "yearly.living": "活立木占比",
    "yearly.disturbed": "受扰动面积",
    "yearly.looks": "有效观测次数",
    "yearly.no_looks": "无法判断",
    "claims": "申报与影像核对",
    "claim.living": "活立木占地块比例",
    "claim.living_share_frac": "申报活立木占比",
    "claim.area": "面积",
    "claim.area_mu": "申报面积（亩）",
    "claim.area_m2": "申报面积（平方米）",
    "claim.area_ha": "申报面积（公顷）",
    "claim.use": "用途",
    "claim.planted_on": "种植日期",
    "claim.volume_m3": "申报蓄积量（立方米）",
    "claim.loan_id": "贷款编号",
    "claim.loan_borrower_id": "借款人",
    "claim.loan_outstanding": "贷款余额",
    "claim.loan_currency": "贷款币种",
    "claim.loan_maturity": "贷款到期日",
    "claim.loan_amount": "贷款金额",
    "claim.loan_start": "贷款起始日",
    "claim.loan_pledged_from": "抵押起始日",
    "claim.loan_pledged_to": "抵押终止日",
    "claim.pledge": "无其他抵押",
    "pledges": "同一土地的其他抵押",
    "pledges.kind": "类型",
    "pledges.with": "抵押于",
    "pledges.area": "重叠面积",
    "pledges.share": "占本地块",
    "pledges.span": "同时抵押期间",
    "pledges.project": "项目 {project}，分行 {branch}",
    "pledges.same_file": "本文件的另一笔贷款，地块 {parcel}",
    "pledges.open": "未定",
    "shared.overlap": "重叠",
    "shared.redrawn": "同一土地重复绘制",
    "shared.border_strip": "细条：边界误差或重叠",
    "shared.moved": "可能是同一土地绘于他处",
    "overlays": "法律与规划",
    "overlays.note": "图层由用户提供；本结果不构成法律意见。",
    "overlays.layer": "图层",
    "overlays.source": "来源",
    "verdict.match": "相符",
    "verdict.mismatch": "不符",
    "verdict.cannot_tell": "无法判断",
    "limits": "本地块的局限",
    "limit.few_looks": "仅有 {n} 次有效观测，短期或近期变化可能漏判。",
    "limit.last_clear": "自 {date} 起未再清晰观测，距报告截止日 {days} 天。",
    "limit.small": "面积仅 {area}，完整像元较少，边缘与相邻地物混合。",
    "limit.interval": "{after} 的变化可能发生于 {before} 之后的任何一天，期间没有清晰观测。",
    "limit.unstable": "历史曲线不稳定（{index}），基线可靠性较低。",
    "limit.gap": "最长观测空档 {days} 天：{first} 至 {last}。",
    "limit.winter": "阴影时段（落叶期）无法识别阔叶林采伐。",
    "limit.ortho_part": "{date} 的{sensor}正射影像仅覆盖地块的 {percent}。",
    "limit.ortho_place": "{date} 的{sensor}正射影像未能与 Sentinel-2 比对位置，可能有数米偏差。",
    "limit.none": "除方法本身的局限外，无其他。",
    "method": "方法与局限",
    "method.1": "地块叠加于 Sentinel 影像自身网格，不作重采样。剔除云、云影和积雪，并以时序检验剔除漏检的异常观测。",
    "method.2": "以各地块、各像元自身历史拟合季节基线；连续多次清晰观测偏离基线方确认变化，"
    "其时间界定于此前最后一次与此后第一次清晰观测之间。",
    "method.3": "像元边长 10 米。林下间伐、单株、树种、蓄积量和权属均不可见；落叶林冬季采伐与否在影像上相同。",
    "method.4": "“无法判断”本身即是结论，本报告不以任何数字代替，亦不得理解为“未发现变化”。",
    "method.5": "参考价值 = 观测面积或容量 × 用户提供的价格数据，以区间表示，不是评估价值。"
    "本报告为贷前尽调辅助材料，不构成资产评估，须由具备资质的评估人员判断并签字。",
    "signoff": "签署",
    "signoff.note": "由评估人员或客户经理填写。",
    "signoff.decision": "意见及附加条件",
    "signoff.name": "姓名",
    "signoff.role": "职务及执业证号",
    "signoff.date": "日期",
    "signoff.signature": "签字",
    "sources": "数据来源与许可",
    "sources.licence": "许可",
    "sources.attribution": "署名",
    "orthos": "正射影像",
    "orthos.note": "由用户提供的甚高分辨率影像，作为独立传感器的观测与卫星影像并列展示；"
    "本报告的预警、结论和价值均不以其为依据。",
    "orthos.file": "文件",
    "orthos.date": "日期",
    "orthos.date.tag": "取自文件标签",
    "orthos.resolution": "分辨率",
    "orthos.bands": "波段",
    "orthos.units.reflectance": "反射率",
    "orthos.units.digital_numbers": "原始灰度值，与卫星数值不可比",
    "orthos.place": "相对 Sentinel-2 的位置",
    "orthos.parcels": "覆盖的地块",
    "scenes": "影像清单",
    "scenes.found.one": "共检索到 {n} 景影像。",
    "scenes.found.other": "共检索到 {n} 景影像。",
    "scenes.platform": "卫星",
    "scenes.year": "年份",
    "scenes.count": "景数",
    "scenes.bands": "景 × 波段",
    "scenes.total": "合计",
    "read_status.ok": "已读取",
    "read_status.masked": "已掩膜",
    "read_status.outside": "范围外",
    "read_status.missing": "缺失",
    "read_status.corrupt": "损坏",
    "read_status.quarantined": "已隔离",
    "notes": "地块文件说明",
    "notes.none": "无：文件原样采用。",
    "note.repair": "已修复",
    "note.warning": "提示",
    "note.reading": "读取方式",
    "note.file": "整个文件",
    "record": "运行记录",
    "record.settings": "参数",
    "record.versions": "软件版本",
    "record.inputs": "输入",
    "footer": "精确数值见 parcels.geojson；本报告金额保留三位有效数字。",
}

CATALOGUES: Mapping[str, Mapping[str, str]] = {
    "en": {**ENGLISH, **claim_words.ENGLISH},
    "zh": {**CHINESE, **claim_words.CHINESE},
}

_HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Words:
    """The words of one language."""

    lang: str

    def __post_init__(self) -> None:
        if self.lang not in CATALOGUES:
            raise InvalidInput(f"no report in language {self.lang!r}; known: {', '.join(CATALOGUES)}")

    @property
    def html_lang(self) -> str:
        """Value of the ``lang`` attribute."""
        return _HTML_LANGUAGES[self.lang]

    def __call__(self, key: str, **values: object) -> str:
        """The sentence under a key, with its gaps filled."""
        return CATALOGUES[self.lang][key].format(**values)

    def count(self, key: str, n: int, **values: object) -> str:
        """The sentence under a key in its form for ``n``."""
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=self.number(n), **values)

    def known(self, family: str, name: str) -> str | None:
        """The word for a name of ours; None where there is none."""
        return CATALOGUES[self.lang].get(f"{family}.{name}")

    def reason(self, text: str) -> str:
        """A text of the stages in this language; sentences without a counterpart stay English."""
        return in_chinese(text) if self.lang == "zh" else text

    def named(self, family: str, name: str) -> str:
        """The word for a name of ours (``rule.felling``); a name without one is shown readably as it is."""
        known = CATALOGUES[self.lang].get(f"{family}.{name}")
        plain = name.replace("_", " ").replace("-", " ").strip()
        return known or plain[:1].upper() + plain[1:]

    def sensor(self, name: str) -> str:
        """A sensor's name as its operator writes it: ``sentinel-2a`` is Sentinel-2A."""
        if known := CATALOGUES[self.lang].get(f"sensor.{name}"):
            return known
        mission, dash, unit = name.partition("-")
        return f"{mission[:1].upper()}{mission[1:]}{dash}{unit.upper()}"

    def claimed(self, column: str, value: object) -> str:
        """A claim as its column's unit asks: shares in percent, numbers with separators of thousands."""
        if isinstance(value, dt.date):
            return self.date(value)
        if column.endswith("_frac") and isinstance(value, float):
            return self.percent(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
        return str(value)

    def figure(self, column: str, value: Any) -> str:
        """A figure as its column's unit asks."""
        if isinstance(value, bool):
            return self("word.yes" if value else "word.no")
        if isinstance(value, (dt.date, str)) or hasattr(value, "to_pydatetime"):
            day = value if isinstance(value, dt.date) else None
            return self.date(day) if day is not None else self.cell(column, str(value))
        if column.endswith("_m2"):
            return self.hectares(value)
        if column.endswith("_frac"):
            return self.percent(value)
        if column.endswith("_mw"):
            return f"{self.number(value, 1 if value < 100 else 0)}\u00a0MW"
        if column.endswith("_days"):
            return self(f"days.{'one' if value == 1 else 'other'}", n=self.number(value))
        if column.endswith("_n"):
            return self.number(value, 0 if float(value).is_integer() else 1)
        return self.number(value, 2)

    def cell(self, key: str, value: Any) -> str:
        """A cell of a table of an asset class: days as days, numbers by their unit, words as they are."""
        if isinstance(value, str):
            try:
                return self.date(dt.date.fromisoformat(value))
            except ValueError:
                return self.named("word", value)
        return self.figure(key, value)

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with separators of thousands."""
        return f"{value:,.{decimals}f}"

    def percent(self, fraction: float) -> str:
        """A fraction in percent; never rounded up to 100 or down to 0."""
        percent = 100 * fraction
        if 99.5 <= percent < 100:
            return ">99\u00a0%" if self.lang == "en" else ">99%"
        if 0 < percent < 0.5:
            return "<1\u00a0%" if self.lang == "en" else "<1%"
        return f"{percent:.0f}\u00a0%" if self.lang == "en" else f"{percent:.0f}%"

    def metres(self, value: float) -> str:
        """A length in metres without its unit, to two significant figures below a metre and to decimetres above."""
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}" if abs(value) < 10 else f"{value:,.0f}"

    def placed(self, shift: Shift) -> str:
        """Where a picture lies against the satellite's."""
        east = self("ortho.east" if shift.east_m >= 0 else "ortho.west", metres=f"{abs(shift.east_m):.1f}")
        north = self("ortho.north" if shift.north_m >= 0 else "ortho.south", metres=f"{abs(shift.north_m):.1f}")
        where = f"{east}{self('list_separator')}{north}"
        return self(f"ortho.shift.{shift.verdict}", where=where, sigma=f"{shift.sigma_m:.1f}")

    def date(self, day: dt.date | None) -> str:
        """A day, so that no reader takes the month for the day."""
        if day is None:
            return self("dash")
        if self.lang == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day}\u00a0{_MONTHS[day.month - 1]}\u00a0{day.year}"

    def hectares(self, area_m2: float) -> str:
        """An area in hectares."""
        return f"{self._area(area_m2 / 1e4)}\u00a0{'ha' if self.lang == 'en' else '公顷'}"

    def mu(self, area_m2: float) -> str:
        """An area in mu."""
        return f"{self._area(area_m2 / MU_M2)}\u00a0{'mu' if self.lang == 'en' else '亩'}"

    def money(self, amount: float, currency: str | None) -> str:
        """An amount, rounded to three significant figures."""
        return self._with_currency(_amount(amount), currency)

    def money_range(self, low: float, high: float, currency: str | None) -> str:
        """An interval of amounts; never a single number, even where its ends round to the same."""
        return self._with_currency(f"{_amount(low)} – {_amount(high)}", currency)

    def _with_currency(self, text: str, currency: str | None) -> str:
        if not currency:
            return text
        if self.lang == "zh":
            return f"{text}\u00a0{'元' if currency == 'CNY' else currency}"
        return f"{currency}\u00a0{text}"

    def _area(self, value: float) -> str:
        return self.number(value, 2 if value < 10 else 1 if value < 1000 else 0)


def _amount(amount: float) -> str:
    if amount == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(amount)))
    return f"{round(amount, digits):,.0f}" if digits <= 0 else f"{amount:,.{min(digits, 2)}f}"
