"""Which answers are asked for again, and how long to wait before. Pure functions: no clock is read, nothing sleeps."""

from __future__ import annotations

import datetime as dt
import random
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that say "later". Other 4xx say "never"; 403 is signed anew once, by the transport."""

FIRST_SECONDS, LONGEST_SECONDS = 0.5, 30.0
"""Bounds of the random wait: the first is at most 0.5 s, each further at most twice the last, none above 30 s."""

_QUOTA = re.compile(
    r"quota|insufficient[ _](processing|balance|credit|request|units)|out of (processing units|credits?)|"
    r"(budget|balance|credits?) (is |are )?(used up|exceeded|exhausted)",
    re.IGNORECASE,
)


def is_retried(status: int) -> bool:
    """Tell whether an answer of this HTTP status is worth asking again."""
    return status in RETRIED


def is_quota(status: int, body: str) -> bool:
    """Tell whether a refusal means that the account's budget is used up, not that the credentials are wrong."""
    return status in (402, 403) and _QUOTA.search(body) is not None


def parse_retry_after(value: str | None, now: dt.datetime, *, milliseconds: bool = False) -> float | None:
    """Seconds that a ``Retry-After`` asks for; None where there is none or it cannot be read.

    Parameters
    ----------
    value
        Header: a number, or an HTTP date.
    now
        The server's own idea of now (its ``Date`` header) where known, so that the machine's clock does not matter.
    milliseconds
        A number counts milliseconds, as Sentinel Hub's does; RFC 9110 says seconds.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text):
        return float(text) / (1000.0 if milliseconds else 1.0)
    moment = parse_http_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def parse_http_date(value: str | None) -> dt.datetime | None:
    """Instant of an HTTP date in UTC; None where it is none."""
    try:
        moment = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or dt.UTC).astimezone(dt.UTC)


def backoff(tried: int, rng: random.Random) -> float:
    """Random wait after `tried` tries [s]: full jitter, so that workers who failed together do not return together."""
    return rng.uniform(0.0, min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (tried - 1)))


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How much one request may be waited for. Each `after` gives what is left."""

    attempts: int
    """Tries in all."""
    wait_seconds: float
    """What the waits may add up to [s]."""
    tried: int = 0
    waited: float = 0.0

    def after(self, asked: float | None, rng: random.Random) -> tuple[Patience, float] | None:
        """Book a try that failed.

        Parameters
        ----------
        asked
            Seconds that the server asked to wait, or None.
        rng
            Of the jitter.

        Returns
        -------
        What is left and the wait before the next try [s]; None where there is no further try, also because the server
        asks for more than may be waited: then nothing is waited at all.
        """
        tried = self.tried + 1
        if tried >= self.attempts:
            return None
        wait = (asked or 0.0) + backoff(tried, rng)
        room = self.wait_seconds - self.waited
        if (asked or 0.0) > room:
            return None
        wait = min(wait, room)
        return Patience(
            attempts=self.attempts, wait_seconds=self.wait_seconds, tried=tried, waited=self.waited + wait
        ), wait
