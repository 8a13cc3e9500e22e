import datetime as dt
from typing import Any

import pytest

from geocollateral.assets.claimed_days import SeenStand, judge_crop_planted, judge_stand_planted
from geocollateral.types import Event

AS_OF = dt.date(2025, 8, 1)


def loss(before: str, after: str, area_m2: float, recovered: str | None = None) -> Event:
    return Event(
        kind="stand_loss",
        last_clear_before=dt.date.fromisoformat(before),
        first_clear_after=dt.date.fromisoformat(after),
        detected_on=dt.date.fromisoformat(after),
        recovered_on=None if recovered is None else dt.date.fromisoformat(recovered),
        area_m2=area_m2,
        area_low_m2=area_m2,
        area_high_m2=area_m2,
        magnitude=-0.5,
        probability=0.99,
        indices=("ndvi",),
        pixels=(),
        reasons=("Lost.",),
    )


def stand(*events: Event, share: float = 1.0, greenest: dict[int, float] | None = None) -> SeenStand:
    return SeenStand(
        share=share,
        events=events,
        greenest=greenest or dict.fromkeys(range(2020, 2026), 0.85),
        first_look=dt.date(2020, 1, 5),
        as_of=AS_OF,
        area_m2=10_000.0,
        n_looks=80,
        n_pixels=100,
    )


@pytest.mark.parametrize(
    ("day", "seen", "verdict", "observed"),
    [
        ("2010-03-01", stand(), "cannot_tell", None),  # older than the imagery: age is not seen
        ("2010-03-01", stand(loss("2022-05-01", "2022-05-11", 8_000)), "mismatch", "felled_since"),
        ("2010-03-01", stand(loss("2022-05-01", "2022-05-11", 1_000)), "cannot_tell", None),  # a corner of it only
        ("2010-03-01", stand(share=0.1, greenest={2020: 0.35, 2023: 0.38, 2024: 0.7}), "mismatch", "bare_since"),
        ("2021-03-01", stand(share=0.1, greenest={2022: 0.35, 2023: 0.6}), "cannot_tell", None),  # still young
        ("2023-03-01", stand(), "mismatch", "older"),
        ("2020-06-01", stand(), "cannot_tell", None),  # a clearing just before would not have been seen
        (
            "2023-03-01",
            stand(loss("2022-05-01", "2022-05-11", 9_000, "2024-06-01")),
            "match",
            "cleared_before",
        ),
        ("2023-03-01", stand(loss("2022-05-01", "2022-05-11", 9_000)), "cannot_tell", "cleared_before"),
        ("2026-03-01", stand(), "cannot_tell", None),
    ],
)
def test_the_claimed_age_of_a_stand(day: str, seen: SeenStand, verdict: str, observed: str | None) -> None:
    check = judge_stand_planted({"claim_planted_on": dt.date.fromisoformat(day)}, seen)
    assert check is not None
    assert (check.claim, check.verdict, check.observed) == ("planted_on", verdict, observed)
    assert (check.claimed, check.n_looks, check.n_pixels) == (day, 80, 100)
    assert day in check.reason


def test_a_stand_that_nobody_saw() -> None:
    assert judge_stand_planted({}, None) is None
    check = judge_stand_planted({"claim_planted_on": "2010-03-01"}, None)
    assert check is not None
    assert check.verdict == "cannot_tell"


def season(emerged: str, peak: str, harvested: str | None) -> dict[str, Any]:
    return {"emerged": emerged, "peak": peak, "harvested": harvested}


MAIZE = (season("2024-05-10", "2024-08-01", "2024-09-25"), season("2025-05-12", "2025-07-30", None))


@pytest.mark.parametrize(
    ("day", "seasons", "verdict"),
    [
        ("2025-05-01", MAIZE, "match"),
        ("2025-07-15", MAIZE, "mismatch"),  # a crop stood there
        ("2025-02-01", MAIZE, "cannot_tell"),
        ("2024-10-01", MAIZE[:1], "mismatch"),  # nothing has come up since
        ("2025-06-20", MAIZE[:1], "cannot_tell"),  # too soon to tell
        ("2025-05-01", (), "cannot_tell"),
        ("2025-12-01", MAIZE, "cannot_tell"),
    ],
)
def test_the_claimed_sowing_of_a_crop(day: str, seasons: tuple[dict[str, Any], ...], verdict: str) -> None:
    check = judge_crop_planted({"claim_planted_on": day}, seasons, is_field=True, as_of=AS_OF)
    assert check is not None
    assert check.verdict == verdict


def test_an_orchard_has_no_day_of_sowing() -> None:
    check = judge_crop_planted({"claim_planted_on": "2015-05-01"}, (), is_field=False, as_of=AS_OF)
    assert check is not None
    assert (check.verdict, check.observed) == ("cannot_tell", None)
