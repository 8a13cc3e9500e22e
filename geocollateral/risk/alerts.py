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
    keeps its id, its status and the day it was detected, and takes the newer evidence. Any other hit is a new alert. An
    open alert without a hit stays as it is: only a person closes it.

    Returns
    -------
    Most severe first, then by parcel and date. The order of the arguments does not matter.
    """
    alerts = {alert.alert_id: alert for alert in open_alerts}
    for hit in sorted(hits, key=_key):
        new = _alert(hit)
        known = next((alert for alert in open_alerts if _same_case(alert, new)), None)
        if known is None:
            alerts[new.alert_id] = new
        else:
            alerts[known.alert_id] = replace(
                new,
                alert_id=known.alert_id,
                status=known.status,
                detected_on=min(known.detected_on, new.detected_on),
            )
    return tuple(
        sorted(
            alerts.values(),
            key=lambda a: (SEVERITIES.index(a.severity), a.parcel_id, a.break_date, a.rule, a.alert_id),
        )
    )


def _key(hit: Hit) -> tuple[str, str, str, str]:
    return hit.parcel_id, hit.rule, hit.event.first_clear_after.isoformat(), hit.event.last_clear_before.isoformat()


def _same_case(alert: Alert, other: Alert) -> bool:
    return (
        alert.parcel_id == other.parcel_id
        and alert.rule == other.rule
        and alert.last_clear_before < other.first_clear_after
        and other.last_clear_before < alert.first_clear_after
    )


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
        evidence=hit.evidence,
        reasons=hit.reasons,
    )
