"""Hits of the alert rules and the alerts already open to today's alerts: a pure function of its arguments."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from geocollateral.types import Alert, Hit

SEVERITIES = ("high", "medium", "low")


def raise_alerts(hits: Sequence[Hit], open_alerts: Sequence[Alert] = ()) -> tuple[Alert, ...]:
    """Alerts after today's hits.

    A hit whose break interval overlaps that of an open alert of the same parcel and rule is that alert seen again: it
    keeps its id, its status and the day it was detected, and takes the newer evidence. Of several such alerts it is the
    one whose interval it shares most days with, and no alert is seen again twice. Any other hit is a new alert. An open
    alert without a hit stays as it is: only a person closes it.

    Returns
    -------
    Most severe first, then by parcel and date. The order of the arguments does not matter.
    """
    alerts = {alert.alert_id: alert for alert in open_alerts}
    found = {alert.alert_id: alert for alert in map(_alert, hits)}
    pairs = [
        (_shared_days(known, new), known.alert_id, new.alert_id) for known in open_alerts for new in found.values()
    ]
    taken: dict[str, str] = {}
    for days, known_id, new_id in sorted(pairs, key=lambda pair: (-pair[0], pair[1] != pair[2], pair[1:])):
        if days > 0 and known_id not in taken.values() and new_id not in taken:
            taken[new_id] = known_id
    for new_id, new in found.items():
        if new_id not in taken:
            alerts[new_id] = new
            continue
        known = alerts[taken[new_id]]
        alerts[known.alert_id] = replace(
            new, alert_id=known.alert_id, status=known.status, detected_on=min(known.detected_on, new.detected_on)
        )
    return tuple(
        sorted(
            alerts.values(),
            key=lambda a: (SEVERITIES.index(a.severity), a.parcel_id, a.break_date, a.rule, a.alert_id),
        )
    )


def _key(hit: Hit) -> tuple[str, str, str, str]:
    return hit.parcel_id, hit.rule, hit.event.first_clear_after.isoformat(), hit.event.last_clear_before.isoformat()


def _shared_days(alert: Alert, other: Alert) -> int:
    """Days that the break intervals of one parcel's and rule's alerts have in common; 0 for different cases."""
    if (alert.parcel_id, alert.rule) != (other.parcel_id, other.rule):
        return 0
    first = max(alert.last_clear_before, other.last_clear_before)
    last = min(alert.first_clear_after, other.first_clear_after)
    return max((last - first).days, 0)


def _standing(hit: Hit) -> dict[str, object]:
    """How sure the alert is, and what may have caused it."""
    causes = {name: round(chance, 3) for name, chance in sorted(hit.event.causes.items(), key=lambda c: (-c[1], c[0]))}
    standing: dict[str, object] = {"operating_point": hit.operating_point} | ({"causes": causes} if causes else {})
    if hit.decision is not None:
        standing |= {"score": round(hit.decision.score, 4), "calibrated": hit.decision.calibrated}
    return standing


def _alert(hit: Hit) -> Alert:
    event = hit.event
    identity = "|".join(_key(hit))
    return Alert(
        alert_id="a" + hashlib.sha256(identity.encode()).hexdigest()[:15],
        parcel_id=hit.parcel_id,
        rule=hit.rule,
        severity=hit.severity,
        status="new",
        break_date=event.first_clear_after,
        last_clear_before=event.last_clear_before,
        first_clear_after=event.first_clear_after,
        detected_on=event.detected_on,
        area_m2=round(event.area_m2, 1),
        probability=round(event.probability, 4),
        sensors=hit.sensors,
        evidence={**hit.evidence, **_standing(hit)},
        reasons=hit.reasons,
    )
