"""What parties learn from sums: as good as pooled, readable by LightGBM, and bounded in what is asked."""

import math

import numpy as np
import pytest
from banks import banks, columns_of, matrix_of, noisy, plan, rows_of
from pydantic import ValidationError

from geocollateral.errors import BrokenData, InvalidInput
from geocollateral.federated import noise
from geocollateral.federated.joint_model import JointModel, texts_of
from geocollateral.federated.messages import Asking, Errors, Grow, LeafSums, Normal, Start, Telling
from geocollateral.federated.plan import Noise, Plan, Range
from geocollateral.federated.rows import CELLS, PartyRows, cell_of, upper_bounds
from geocollateral.federated.together import Learned, figures, interval_of, learn_together


class Together:
    """Parties in one process, no masks."""

    def __init__(self, rows: list[PartyRows]) -> None:
        self.rows = rows

    def ask(self, message: Asking, n: int) -> np.ndarray:
        found = np.sum([rows.answer(message) for rows in self.rows], axis=0)
        assert found.shape == (n,)
        return found

    def tell(self, message: Telling) -> None:
        for rows in self.rows:
            rows.follow(message)


TABLES = banks()


def learn(agreed: Plan) -> tuple[list[PartyRows], Learned]:
    rows = [rows_of(agreed, name, table) for name, table in TABLES.items()]
    return rows, learn_together(agreed, Together(rows))


@pytest.fixture(scope="module")
def learned() -> tuple[list[PartyRows], Learned]:
    return learn(plan())


def median_error(rows: PartyRows, table) -> float:
    test = table.sold > "2023-04-30"
    return float(np.median(np.abs(np.exp(rows.log_prices) / table.price - 1)[test]))


def test_lightgbm_reads_the_model_and_says_the_same(learned: tuple[list[PartyRows], Learned]) -> None:
    rows, found = learned
    assert found.trees
    model = JointModel.of(*texts_of(plan(), found))
    for own, table in zip(rows, TABLES.values(), strict=True):
        assert np.abs(model.log_prices(matrix_of(plan(), table)) - own.log_prices).max() < 1e-9
    assert model.booster is not None
    assert model.booster.num_trees() == len(found.trees)


def test_missing_and_far_values_take_the_same_way_in_lightgbm() -> None:
    agreed = plan()
    spoiled = {name: table.copy() for name, table in TABLES.items()}
    rng = np.random.default_rng(3)
    for table in spoiled.values():
        for name in ("area_mu", "slope", "lon_m"):
            table[name] = np.where(rng.random(len(table)) < 0.2, np.nan, table[name] * 3 - 5)
        table["quality"] = table["quality"].astype(float)  # on the bounds of bins
        table.loc[rng.random(len(table)) < 0.1, "kind"] = "castle"
    rows = [rows_of(agreed, name, table) for name, table in spoiled.items()]
    found = learn_together(agreed, Together(rows))
    model = JointModel.of(*texts_of(agreed, found))
    for own, table in zip(rows, spoiled.values(), strict=True):
        assert np.abs(model.log_prices(matrix_of(agreed, table)) - own.log_prices).max() < 1e-9


def test_summed_figures_are_those_of_the_rows(learned: tuple[list[PartyRows], Learned]) -> None:
    rows, found = learned
    tests = [table.sold > "2023-04-30" for table in TABLES.values()]
    told = np.concatenate([np.exp(r.log_prices)[t] for r, t in zip(rows, tests, strict=True)])
    price = np.concatenate([table.price[t] for table, t in zip(TABLES.values(), tests, strict=True)])
    ratio = told / price
    assert found.held_out["n"] == len(price)
    assert found.held_out["mdape"] == pytest.approx(np.median(np.abs(ratio - 1)), abs=0.003)
    assert found.held_out["median_ratio"] == pytest.approx(np.median(ratio), abs=0.003)
    assert found.held_out["prd"] == pytest.approx(ratio.mean() * price.sum() / told.sum(), rel=1e-6)
    assert found.n_learned == sum(int((~t).sum()) for t in tests)
    assert 0.8 < found.held_out["coverage"] < 0.98  # type: ignore[operator]


def test_together_is_better_than_alone(learned: tuple[list[PartyRows], Learned]) -> None:
    rows, _ = learned
    together = np.mean([median_error(own, table) for own, table in zip(rows, TABLES.values(), strict=True)])
    alone = []
    for name, table in TABLES.items():
        own = rows_of(plan(least_rows=60), name, table)
        learn_together(plan(), Together([own]))
        alone.append(median_error(own, table))
    assert together < 0.97 * np.mean(alone)


def test_the_same_plan_and_rows_give_the_same_bytes(learned: tuple[list[PartyRows], Learned]) -> None:
    assert texts_of(plan(), learned[1]) == texts_of(plan(), learn(plan())[1])


def test_leaves_hold_as_many_rows_as_the_plan_asks(learned: tuple[list[PartyRows], Learned]) -> None:
    for tree in learned[1].trees:
        assert min(tree.rows[leaf] for leaf in tree.values) >= plan().learning.in_leaf


def test_outside_of_what_was_agreed_there_is_no_number(learned: tuple[list[PartyRows], Learned]) -> None:
    model = JointModel.of(*texts_of(plan(), learned[1]))
    table = TABLES["bank0"].head(4).copy()
    table.loc[1, "kind"] = "castle"
    table.loc[2, "area_mu"] = 100_000
    table.loc[3, ["area_mu", "slope", "lon_m", "lat_m"]] = np.nan
    told = model.predict(*columns_of(plan(), table))
    assert told["refused"].tolist() == [False, True, True, True]
    assert told.loc[1:, ["p05", "p50", "p95"]].isna().all().all()
    assert "castle" in told["reason"][1]
    assert "800" in told["reason"][2]
    assert told["p05"][0] <= told["p50"][0] <= told["p95"][0]


@pytest.mark.parametrize("change", ["file", "format", "no json"])
def test_a_changed_model_is_not_loaded(learned: tuple[list[PartyRows], Learned], change: str) -> None:
    model, booster = texts_of(plan(), learned[1])
    if change == "file":
        booster = booster.replace("leaf_value=", "leaf_value=1", 1)
    model = {"file": model, "format": model.replace("federated-1", "federated-9"), "no json": "{"}[change]
    with pytest.raises(BrokenData):
        JointModel.of(model, booster)


# ---------------------------------------------------------------------------------------------- what a party refuses


def answers(agreed: Plan, *asked: Asking) -> None:
    rows = rows_of(agreed, "bank0", TABLES["bank0"])
    for message in asked:
        rows.answer(message)


GROW = {"round": 1, "tree": 0, "splits": (), "ask": (0,)}


@pytest.mark.parametrize(
    ("agreed", "asked"),
    [
        pytest.param(plan(), [Grow(features=(99,), **GROW)], id="column"),  # type: ignore[arg-type]
        pytest.param(plan(), [LeafSums(round=1, tree=0, splits=())], id="lot without noise"),
        pytest.param(plan(), [Errors(round=n, held_out=True) for n in (1, 2)], id="held-out rows twice"),
        pytest.param(plan(), [Normal(round=n, every=True) for n in (1, 2, 3)], id="linear part three times"),
        pytest.param(plan(noise=noisy()), [Grow(features=(0,), **GROW)], id="exact under noise"),  # type: ignore[arg-type]
        pytest.param(plan(noise=noisy()), [Normal(round=n, every=True) for n in (1, 2)], id="budget spent"),
    ],
)
def test_a_party_answers_what_the_plan_allows_and_no_more(agreed: Plan, asked: list[Asking]) -> None:
    answers(agreed, *asked[:-1])
    with pytest.raises(BrokenData):
        answers(agreed, *asked)


def test_slopes_of_another_width_are_refused() -> None:
    with pytest.raises(BrokenData, match="slopes"):
        rows_of(plan(), "bank0", TABLES["bank0"]).follow(Start(slopes=(1.0,), every=False))


def test_a_party_with_few_rows_does_not_take_part() -> None:
    with pytest.raises(InvalidInput, match="plan asks for"):
        rows_of(plan(), "bank0", TABLES["bank0"].head(50))


@pytest.mark.parametrize(
    "changes",
    [
        {"parties": {"a": "1" * 64, "b": "2" * 64}},
        {"parties": {"a": "1" * 64, "b": "2" * 64, "c": "2" * 64}},
        {"places": {"lon_m": Range(low=0, high=1)}},
        {"numbers": {"price": Range(low=0, high=1)}},
        {"price": Range(low=-1, high=1)},
        {"noise": Noise(epsilon=1, colluding=2)},
        {"unknown": 1},
    ],
)
def test_a_plan_that_does_not_protect_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        plan(**changes)


# ------------------------------------------------------------------------------------------------------------- noise


def test_the_account_adds_up_to_epsilon() -> None:
    agreed = plan(noise=noisy(2.0))
    assert agreed.noise is not None
    own = noise.spent(agreed)
    rho = own["normal"] + agreed.noise.trees * own["leaf_sums"]
    assert rho == pytest.approx(own["errors"])
    assert rho + 2 * math.sqrt(rho * math.log(1 / agreed.noise.delta)) == pytest.approx(2.0)


def test_noise_of_the_honest_parties_suffices() -> None:
    agreed = plan(noise=noisy(1.0))
    for kind in ("normal", "leaf_sums", "errors"):
        wanted = noise.sensitivity(kind) / math.sqrt(2 * noise.spent(agreed)[kind])
        drawn = noise.draw(agreed, kind, 40_000) + noise.draw(agreed, kind, 40_000)  # two of three are honest
        assert np.std(drawn) == pytest.approx(wanted, rel=0.03)
        assert abs(np.mean(drawn)) < 0.03 * wanted
    assert not noise.draw(plan(), "errors", 10).any()


@pytest.mark.parametrize("kind", ["normal", "leaf_sums", "errors"])
def test_no_row_moves_a_sum_further_than_the_account_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocollateral.federated.rows.draw", lambda plan, kind, n: np.zeros(n))
    monkeypatch.setattr("geocollateral.federated.rows.lot", lambda plan, party, use: np.random.default_rng(5))
    agreed = plan(noise=noisy(), learning={"aside": 0.05})
    table = TABLES["bank0"].copy()
    table.loc[:5, "price"] = [1e-3, 1e12, 1e4, 1e7, 5.0, 1e9]
    splits = tuple((node, node % 4, 10 + node) for node in range(7))
    asked: Asking = {
        "normal": Normal(round=1, every=False),
        "leaf_sums": LeafSums(round=1, tree=0, splits=splits),
        "errors": Errors(round=1, held_out=True),
    }[kind]
    whole = rows_of(agreed, "bank0", table).answer(asked)
    dropped = [0, 1, 2, 3, 4, 5, int(np.flatnonzero(table.sold > "2023-05-01")[0])]
    moved = []
    for row in dropped:
        # The last row moves into the place of the one dropped, so that the lot of no other row changes.
        order = [n if n != row else len(table) - 1 for n in range(len(table) - 1)]
        base = rows_of(agreed, "bank0", table.iloc[:-1].reset_index(drop=True)).answer(asked)
        moved.append(np.linalg.norm(base - whole))
        swapped = rows_of(agreed, "bank0", table.iloc[order].reset_index(drop=True)).answer(asked)
        moved.append(np.linalg.norm(swapped - base) / 2)
    assert max(moved) <= noise.sensitivity(kind) + 1e-9
    assert max(moved) > 0


def test_under_noise_the_model_is_of_this_world() -> None:
    rows, found = learn(plan(noise=noisy(50.0)))
    assert len(found.trees) == 10
    assert np.isfinite(np.concatenate([r.log_prices for r in rows])).all()
    assert found.held_out["mdape"] < 0.3  # type: ignore[operator]
    model = JointModel.of(*texts_of(plan(noise=noisy(50.0)), found))
    assert np.abs(model.log_prices(matrix_of(plan(), TABLES["bank0"])) - rows[0].log_prices).max() < 1e-9


# --------------------------------------------------------------------------------------------------- histograms


def test_quantiles_of_a_histogram_hold_the_share_asked() -> None:
    error = np.random.default_rng(0).normal(0.02, 0.1, 5000)
    counts = np.bincount(cell_of(error), minlength=CELLS).astype(float)
    low, high = interval_of(counts, 0.9)
    assert 0.90 <= np.mean((-error >= low) & (-error <= high)) < 0.93
    assert (error <= upper_bounds()[cell_of(error)] + 1e-12).all()
    assert figures(np.append(counts, [0, 0, 0]), low, high, 20)["prd"] is None
    assert figures(np.zeros(CELLS + 3), low, high, 20)["mdape"] is None
