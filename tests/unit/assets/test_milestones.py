import pytest

from geocollateral.assets.milestones import STAGE_PROGRESS, judge_plant, judge_works, plant_draw, plant_stage
from geocollateral.types import ClaimCheck


def by_name(checks: tuple[ClaimCheck, ...]) -> dict[str, ClaimCheck]:
    found = {check.claim: check for check in checks}
    assert len(found) == len(checks)
    return found


def test_nothing_claimed_nothing_checked() -> None:
    assert judge_works({}, (0.4, 0.5, 0.6), "progressing") == ()
    assert judge_works({"claim_stage": None, "claim_progress_frac": float("nan")}, None, "") == ()
    assert judge_plant({}, "settled", "Modules.") == ()


@pytest.mark.parametrize(
    ("claimed", "progress", "stage", "draw"),
    [
        ("structure", (0.40, 0.50, 0.60), "match", "match"),
        ("complete", (0.10, 0.20, 0.30), "mismatch", "mismatch"),
        ("complete", (0.60, 0.72, 0.84), "cannot_tell", "cannot_tell"),
        ("complete", (0.90, 0.95, 1.00), "match", "match"),
        ("operating", (0.90, 0.95, 1.00), "match", "match"),
        ("foundations", (0.85, 0.95, 1.00), "mismatch", "match"),  # ahead of the claim: the money may go out
        ("planned", (0.00, 0.00, 0.04), "match", "match"),
        ("planned", (0.40, 0.50, 0.60), "mismatch", "match"),
        ("structure", (0.00, 0.40, 0.80), "cannot_tell", "cannot_tell"),  # too wide to support either
    ],
)
def test_a_claimed_stage_and_its_draw(
    claimed: str, progress: tuple[float, float, float], stage: str, draw: str
) -> None:
    found = by_name(judge_works({"claim_stage": claimed}, progress, "progressing", n_looks=40, n_pixels=90))
    assert {name: check.verdict for name, check in found.items()} == {"stage": stage, "draw": draw}
    assert found["stage"].claimed == claimed
    assert found["draw"].claimed == STAGE_PROGRESS[claimed][0]
    assert all((check.n_looks, check.n_pixels) == (40, 90) for check in found.values())


def test_a_draw_that_is_held_says_how_much_is_short() -> None:
    found = by_name(judge_works({"claim_progress_frac": 0.6}, (0.3, 0.4, 0.45), "stalled"))
    assert found["progress"].verdict == "mismatch"
    assert found["draw"].reason == (
        "Hold the draw: the milestone claimed needs 60% of the works; progress seen is 40% (30% to 45%), stalled, "
        "short by 20 points (15 to 30)."
    )


def test_the_further_milestone_of_two_counts() -> None:
    claims = {"claim_stage": "foundations", "claim_progress_frac": 0.7}
    found = by_name(judge_works(claims, (0.3, 0.35, 0.4), "progressing"))
    assert {name: check.verdict for name, check in found.items()} == {
        "stage": "match",
        "progress": "mismatch",
        "draw": "mismatch",
    }
    assert found["draw"].claimed == 0.7


def test_unseen_works_hold_no_answer() -> None:
    claims = {"claim_stage": "complete", "claim_progress_frac": 0.9}
    found = by_name(judge_works(claims, None, "", why_not="Only 3 clear looks."))
    assert {check.verdict for check in found.values()} == {"cannot_tell"}
    assert all("Only 3 clear looks." in check.reason and check.observed is None for check in found.values())


@pytest.mark.parametrize("stage", list(STAGE_PROGRESS))
def test_modules_support_every_milestone_and_their_lack_only_the_plan(stage: str) -> None:
    assert plant_draw(stage, "settled") == "match"
    late = stage in ("complete", "operating")
    assert plant_draw(stage, "none") == ("match" if stage == "planned" else "mismatch" if late else "cannot_tell")
    assert plant_stage(stage, "none") == ("mismatch" if late else "cannot_tell")
    assert plant_stage(stage, "settled") == ("match" if late else "mismatch")


def test_progress_of_a_plant() -> None:
    claims = {"claim_stage": "complete", "claim_progress_frac": 0.9}
    found = by_name(judge_plant(claims, "none", "No modules.", n_looks=12, n_pixels=80))
    assert {name: check.verdict for name, check in found.items()} == dict.fromkeys(
        ("stage", "progress", "draw"), "mismatch"
    )
    half = by_name(judge_plant({"claim_progress_frac": 0.3}, "none", "No modules."))
    assert {check.verdict for check in half.values()} == {"cannot_tell"}


@pytest.mark.parametrize(
    ("claimed", "verdict"),
    [("planned", "match"), ("site_cleared", "cannot_tell"), ("foundations", "mismatch"), ("structure", "mismatch")],
)
def test_where_no_works_are_seen_no_stage_is_near_enough(claimed: str, verdict: str) -> None:
    found = judge_works({"claim_stage": claimed}, (0.0, 0.0, 0.08), "not started", begun=False)
    assert {check.verdict for check in found} == {verdict}
