"""A read-only mapping from names to things of one kind, filled by decorators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar

from geocollateral.errors import InvalidInput

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Things of one kind by name.

    A second registration under one name is refused: silently replacing an index or a rule would change figures. A
    wrong name gets the list of the known ones.

    Parameters
    ----------
    kind
        What is registered, in the singular, for messages: ``"index"``, ``"imagery source"``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters a thing under ``name``."""

        def enter(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is already registered")
            self._items[name] = item
            return item

        return enter

    def __getitem__(self, name: str) -> T:
        try:
            return self._items[name]
        except KeyError:
            raise InvalidInput(self.explain_unknown(name)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def explain_unknown(self, name: str) -> str:
        """Sentence that names what is known, nearest first."""
        near = get_close_matches(name, self._items, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"Unknown {self.kind} {name!r}.{hint} Known: {', '.join(self) or 'none'}."
