"""One file per asset class: its indices, events, physical quantity, rules."""
