"""Words of the report on values learned from sales, in each language."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "values.input_of": "{approach} rests on",
    "approach.learned": "Learned from sales",
    "learned.none": "No value learned from sales. {why}",
    "learned.proof": "Model {model} learned from {learned} sales of {first} to {last}. On {held} sales that it did not "
    "learn from, its median error was {error}; that of the best simple baseline ({baseline}) was {other}. Its {level} "
    "interval held {coverage} of the prices.",
    "learned.approved": "{model} was trained by {trainer} and approved by {approvers}. A supporting tool, not a "
    "valuation.",
    "learned.part": "Part of the learned value",
    "learned.told": "Told to the model",
    "learned.factor": "Factor",
    "learned.base": "All parcels alike",
    "learned.base_per": "All parcels alike, per {unit}",
    "learned.others": "{n} others together",
    "learned.product": "Multiplied: middle",
    "learned.sales": "Sales most like this parcel before the day of this report, brought to that day and to this "
    "parcel:",
    "learned.date": "Sold",
    "learned.price": "Price",
    "learned.price_per": "Price per {unit}",
    "learned.likeness": "{share} alike",
    "learned.adjusted": "Brought here",
    "learned_feature.place": "Its place",
    "learned_feature.date": "Its date",
    "learned_feature.area": "Area",
    "unit.m2": "m2",
}
CHINESE: Mapping[str, str] = {
    "values.input_of": "{approach}的依据",
    "approach.learned": "成交案例模型",
    "learned.none": "没有由成交案例学习得出的价值。{why}",
    "learned.proof": "模型{model}由{first}至{last}的{learned}宗成交学习得出。在未参与学习的{held}宗成交上，"
    "其误差中位数为{error}，最优简单基准（{baseline}）为{other}；其{level}区间包含了{coverage}的成交价。",
    "learned.approved": "{model}由{trainer}训练，{approvers}批准。仅为辅助工具，不构成资产评估。",
    "learned.part": "学习价值的组成",
    "learned.told": "输入模型的值",
    "learned.factor": "系数",
    "learned.base": "所有地块共有",
    "learned.base_per": "所有地块共有（每{unit}）",
    "learned.others": "其余{n}项合计",
    "learned.product": "相乘：中位",
    "learned.sales": "报告日之前与本地块最相似的成交，已修正至该日和本地块：",
    "learned.date": "成交日",
    "learned.price": "成交价",
    "learned.price_per": "每{unit}成交价",
    "learned.likeness": "相似度{share}",
    "learned.adjusted": "修正后",
    "learned_feature.place": "位置",
    "learned_feature.date": "日期",
    "learned_feature.area": "面积",
    "unit.m2": "平方米",
}
