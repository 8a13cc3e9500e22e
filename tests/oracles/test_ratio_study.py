"""Ratio studies against Cook County's own package and its sample of sales."""

import assesspy
import numpy as np
import pytest

from geocollateral.valuation import ratio_study
from geocollateral.valuation.ratio_study import is_outlier


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # assesspy 2.0.2 on pandas 3.1
def test_measures_equal_those_of_assesspy() -> None:
    sample = assesspy.ccao_sample()
    estimate, price = sample["estimate"].to_numpy(), sample["sale_price"].to_numpy()
    study = ratio_study(estimate, price)
    assert study.cod.value == pytest.approx(assesspy.cod(estimate, price), abs=1e-9)
    assert study.prd.value == pytest.approx(assesspy.prd(estimate, price), abs=1e-9)
    assert study.prb.value == pytest.approx(assesspy.prb(estimate, price), abs=1e-9)
    assert study.mki.value == pytest.approx(assesspy.mki(estimate, price), abs=1e-9)
    assert (study.prb.low, study.prb.high) == pytest.approx(assesspy.prb_ci(estimate, price), abs=1e-9)
    low, high = assesspy.cod_ci(estimate, price, nboot=300)
    assert study.cod.low == pytest.approx(low, abs=0.5)
    assert study.cod.high == pytest.approx(high, abs=0.5)


def test_outliers_equal_those_of_assesspy() -> None:
    ratios = np.exp(np.random.default_rng(1).standard_t(3, 500) * 0.2)
    assert np.array_equal(is_outlier(ratios), np.asarray(assesspy.is_outlier(ratios)))
