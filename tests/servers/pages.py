"""A STAC API of our own behind a `FaultServer`: pages as small as wanted, and the bad habits of real services to order.

It answers what our search asks and no more; that a real service understands our search is tested against pgstac.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from servers.faults import Asked, Reply

JSON = {"Content-Type": "application/json"}


@dataclass
class Pages:
    """An upstream of `FaultServer`."""

    items: Sequence[Mapping[str, Any]]
    page: int = 3
    """Items on a page at most, whatever limit is asked for."""
    counted: bool = True
    """Answers say how many items there are in all."""
    most: int | None = None
    """A larger limit is answered 502, as by a service that cannot gather such a page in time."""
    twins: bool = False
    """Each page but the first repeats the last item of the one before, with a signature of its own."""
    loses: frozenset[str] = field(default_factory=frozenset)
    """Ids that are counted and never listed."""
    circle: bool = False
    """The last page leads back to the first."""

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        origin = f"http://{asked.headers['Host']}"
        if asked.path == "/":
            return _reply(_landing(origin))
        if asked.path.startswith("/collections/"):
            return self._collection(asked.path.rpartition("/")[2])
        if asked.path == "/collections":
            names = sorted({str(item["collection"]) for item in self.items})
            return _reply({"collections": [{"id": name} for name in names], "links": []})
        if asked.path == "/search" and asked.method == "POST":
            return self._search(origin, json.loads(asked.body))
        return Reply(404, b"{}", JSON)

    def _collection(self, name: str) -> Reply:
        if any(item["collection"] == name for item in self.items):
            return _reply({"id": name, "type": "Collection"})
        return Reply(404, b'{"code": "NotFoundError"}', JSON)

    def _search(self, origin: str, question: Mapping[str, Any]) -> Reply:
        if self.most is not None and question["limit"] > self.most:
            return Reply(502, b"Bad Gateway")
        found = [item for item in self.items if item["collection"] in question["collections"]]
        listed = [item for item in found if item["id"] not in self.loses]
        size = min(self.page, question["limit"])
        start = int(question.get("token", 0))
        stop = start + size
        features = [dict(item) for item in listed[start:stop]]
        if self.twins and start:
            again = json.loads(json.dumps(listed[start - 1]))
            for asset in again["assets"].values():
                asset["href"] += f"?sig={start}"
            features = [again, *features]
        answer: dict[str, Any] = {"type": "FeatureCollection", "features": features, "links": []}
        if self.counted:
            answer["numberMatched"] = len(found)
        if stop < len(listed) or self.circle:
            following = {"token": stop if stop < len(listed) else 0}
            link = {"rel": "next", "href": f"{origin}/search", "method": "POST", "body": following, "merge": True}
            answer["links"] = [link]
        return _reply(answer)


def _landing(origin: str) -> dict[str, Any]:
    return {
        "type": "Catalog",
        "id": "pages",
        "title": "Pages",
        "conformsTo": ["https://api.stacspec.org/v1.0.0/item-search"],
        "links": [{"rel": "search", "href": f"{origin}/search", "method": "POST"}],
    }


def _reply(document: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(document).encode(), JSON)
