"""`exports.wording`: the catalogues agree, and numbers are put as readers expect."""

from __future__ import annotations

import datetime as dt
import re
import string

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.exports.wording import CATALOGUES, Words

ENGLISH, CHINESE = CATALOGUES["en"], CATALOGUES["zh"]


def _gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_languages_have_the_same_keys_in_the_same_order():
    assert list(CHINESE) == list(ENGLISH)


@pytest.mark.parametrize("key", sorted(ENGLISH))
def test_sentences_of_a_key_have_the_same_gaps(key):
    # English counts some things as "one" in words.
    assert _gaps(CHINESE[key]) | {"n"} == _gaps(ENGLISH[key]) | {"n"}


def test_chinese_is_chinese():
    latin = {"method.1", "index.meaning.ndvi", "history.cause"}
    assert all(
        re.search(r"[\u4e00-\u9fff]", text) for key, text in CHINESE.items() if len(text) > 3 and key not in latin
    )
    assert CHINESE["state.cannot_tell"] == "无法判断"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(1.0, "100 %"), (0.999, ">99 %"), (0.994, "99 %"), (0.001, "<1 %"), (0.0, "0 %"), (0.5, "50 %")],
)
def test_a_percentage_is_never_rounded_to_all_or_nothing(fraction, text):
    assert Words("en").percent(fraction).replace("\u00a0", " ") == text


def test_money_has_a_currency_and_separators():
    assert Words("en").money_range(1_234_567, 2_345_678, "CNY") == "CNY\u00a01,230,000 – 2,350,000"
    assert Words("zh").money_range(1_234_567, 2_345_678, "CNY") == "1,230,000 – 2,350,000\u00a0元"
    assert Words("en").money_range(11.5, 2_790_000, "CNY") == "CNY\u00a00 – 2,790,000"
    assert Words("en").money_range(7_410, 17_200_000, "CNY") == "CNY\u00a00 – 17,200,000"
    assert Words("en").money_range(160_000, 17_200_000, "CNY") == "CNY\u00a0200,000 – 17,200,000"
    assert Words("en").money_range(6_960, 17_400, "EUR") == "EUR\u00a06,960 – 17,400"
    assert Words("en").money(0, "EUR") == "EUR\u00a00"
    assert Words("en").money(4.5, None) == "4.50"


def test_areas_in_both_units():
    assert Words("en").hectares(20_000) == "2.00\u00a0ha"
    assert Words("en").mu(20_000) == "30.0\u00a0mu"
    assert Words("zh").mu(20_000) == "30.0\u00a0亩"


def test_a_date_cannot_be_misread():
    assert Words("en").date(dt.date(2018, 5, 2)) == "2\u00a0May\u00a02018"
    assert Words("zh").date(dt.date(2018, 5, 2)) == "2018年5月2日"


def test_a_name_without_a_word_is_shown_readably():
    assert Words("en").named("rule", "new_kind_of_rule") == "New kind of rule"


def test_an_unknown_language_is_refused():
    with pytest.raises(InvalidInput, match=r"'fr'.*en, zh"):
        Words("fr")


def test_every_catalogue_is_listed():
    assert set(CATALOGUES) == {"en", "zh"}
