"""Hits of the alert rules and the alerts already open to today's alerts: a pure function of its arguments.

A thing to act on is one alert, however often and by whatever rules it is said. An early state, such as works that are
suspected, names the rules that confirm it (`Hit.leads_to`); when one of them is hit by the same thing, the alert keeps
its id and becomes that of the confirmed state, and tells when it was warned of.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from geocollateral.types import CLOSED_STATUSES, Alert, Event, Hit

SEVERITIES = ("high", "medium", "low")


@dataclass(frozen=True)
class _Thing:
    """Hits on one thing, by the day they were said: early states, then the state it is in."""

    hits: tuple[Hit, ...]

    @property
    def state(self) -> Hit:
        return self.hits[-1]

    def goes_on(self, day: dt.date) -> bool:
        ended = self.state.event.recovered_on
        return ended is None or day <= ended


def raise_alerts(hits: Sequence[Hit], open_alerts: Sequence[Alert] = ()) -> tuple[Alert, ...]:
    """Alerts after today's hits.

    1. Hits on one thing are one alert (`_things`).
    2. A thing whose break interval, today's or that of an earlier state, overlaps that of an open alert of the same
       parcel and of its rules is that alert seen again: it keeps its id and its status and takes the newer evidence; of
       several such alerts it is the one whose interval it shares most days with, and no alert is seen again twice. Any
       other thing is a new alert.
    3. An alert that was closed while it was an early state is new when it is confirmed.
    4. An alert that was confirmed is not taken back to an early state.
    5. An open alert without a hit stays as it is: only a person closes it.

    Returns
    -------
    Most severe first, then by parcel and date. The order of the arguments does not matter.
    """
    alerts = {alert.alert_id: alert for alert in open_alerts}
    things = {_alert_id(thing.hits[0]): thing for thing in _things(hits)}
    pairs = [
        (_shared_days(known, thing), known.alert_id, new_id)
        for known in open_alerts
        for new_id, thing in things.items()
    ]
    taken: dict[str, str] = {}
    for days, known_id, new_id in sorted(pairs, key=lambda pair: (pair[1] != pair[2], -pair[0], pair[1:])):
        if days > 0 and known_id not in taken.values() and new_id not in taken:
            taken[new_id] = known_id
    for new_id, thing in things.items():
        if new_id in taken:
            known = alerts[taken[new_id]]
            alerts[known.alert_id] = _seen_again(known, thing)
        else:
            alerts[new_id] = _alert(thing)
    return tuple(
        sorted(
            alerts.values(),
            key=lambda a: (SEVERITIES.index(a.severity), a.parcel_id, a.break_date, a.rule, a.alert_id),
        )
    )


def _things(hits: Sequence[Hit]) -> list[_Thing]:
    """Hits gathered by thing.

    1. A hit takes an early state over if its rule confirms it, its change began before the early state was said, and
       the early state was not over when the hit was said.
    2. An early state that is said while its thing is warned of or confirmed, and goes on, says nothing new.
    3. Any other hit is a thing of its own.
    """
    found: list[_Thing] = []
    for hit in sorted(hits, key=lambda hit: (hit.event.detected_on, not hit.leads_to, _key(hit))):
        said = hit.event.detected_on
        mine = [n for n, thing in enumerate(found) if thing.state.parcel_id == hit.parcel_id and thing.goes_on(said)]
        if hit.leads_to:
            if not any(found[n].state.rule in (hit.rule, *hit.leads_to) for n in mine):
                found.append(_Thing((hit,)))
            continue
        early = [n for n in mine if hit.rule in found[n].state.leads_to]
        early = [n for n in early if hit.event.last_clear_before <= found[n].state.event.detected_on]
        if early:
            found[early[0]] = _Thing((*found[early[0]].hits, hit))
        else:
            found.append(_Thing((hit,)))
    return found


def _key(hit: Hit) -> tuple[str, str, str, str]:
    return hit.parcel_id, hit.rule, hit.event.first_clear_after.isoformat(), hit.event.last_clear_before.isoformat()


def _alert_id(hit: Hit) -> str:
    return "a" + hashlib.sha256("|".join(_key(hit)).encode()).hexdigest()[:15]


def _shared_days(alert: Alert, thing: _Thing) -> int:
    """Most days that the break intervals of an alert and of a state of a thing have in common; 0 for others."""
    rules = {rule for hit in thing.hits for rule in (hit.rule, *hit.leads_to)}
    if alert.parcel_id != thing.state.parcel_id or alert.rule not in rules:
        return 0
    return max(_days_in_common(alert, hit.event) for hit in thing.hits)


def _days_in_common(alert: Alert, event: Event) -> int:
    first = max(alert.last_clear_before, event.last_clear_before)
    last = min(alert.first_clear_after, event.first_clear_after)
    return max((last - first).days, 0)


def _seen_again(known: Alert, thing: _Thing) -> Alert:
    """A known alert with today's evidence of its thing."""
    state = thing.state
    if known.rule in state.leads_to:
        return known
    new = replace(_alert(thing), alert_id=known.alert_id, status=known.status)
    if known.rule == state.rule:
        return replace(new, detected_on=min(known.detected_on, new.detected_on))
    return replace(new, status="new") if known.status in CLOSED_STATUSES else new


def _standing(hit: Hit) -> dict[str, object]:
    """How sure the alert is, and what may have caused it."""
    causes = {name: round(chance, 3) for name, chance in sorted(hit.event.causes.items(), key=lambda c: (-c[1], c[0]))}
    standing: dict[str, object] = {"operating_point": hit.operating_point} | ({"causes": causes} if causes else {})
    if hit.decision is not None:
        standing |= {"score": round(hit.decision.score, 4), "calibrated": hit.decision.calibrated}
    return standing


def _alert(thing: _Thing) -> Alert:
    hit, event = thing.state, thing.state.event
    warned = thing.hits[0] if len(thing.hits) > 1 else None
    since = {} if warned is None else {"warned_on": warned.event.detected_on.isoformat(), "warned_as": warned.rule}
    return Alert(
        alert_id=_alert_id(thing.hits[0]),
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
        evidence={**hit.evidence, **_standing(hit), **since},
        reasons=hit.reasons if warned is None else (*hit.reasons, f"Warned of on {warned.event.detected_on}."),
    )
