"""What a loan is exposed to."""

from __future__ import annotations


def loan_to_value(
    outstanding: float | None, loan_currency: str | None, value: float | None, value_currency: str | None
) -> float | None:
    """Outstanding loan as a share of the middle value [1].

    Returns
    -------
    None where either is unknown, the value is zero, or the currencies differ: no exchange rate is ever guessed.
    """
    if outstanding is None or not value or loan_currency != value_currency:
        return None
    return outstanding / value
