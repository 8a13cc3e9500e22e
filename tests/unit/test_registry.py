"""The registry: refuses duplicates, lists what is known, hints at the nearest name."""

from collections.abc import Callable

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.registry import Registry


@pytest.fixture
def colours() -> Registry[int]:
    registry: Registry[int] = Registry("colour")
    registry.register("red")(1)
    registry.register("green")(2)
    registry.register("blue")(3)
    return registry


def test_is_a_mapping_in_order_of_names(colours: Registry[int]) -> None:
    assert dict(colours) == {"blue": 3, "green": 2, "red": 1}
    assert list(colours) == ["blue", "green", "red"]
    assert len(colours) == 3
    assert "red" in colours
    assert "reed" not in colours


def test_register_returns_the_thing_itself() -> None:
    registry: Registry[Callable[[], int]] = Registry("function")

    @registry.register("one")
    def one() -> int:
        return 1

    assert registry["one"] is one


def test_second_registration_is_refused_and_the_first_kept(colours: Registry[int]) -> None:
    with pytest.raises(ValueError, match=r"colour 'red' is already registered"):
        colours.register("red")(9)
    assert colours["red"] == 1


def test_is_read_only(colours: Registry[int]) -> None:
    with pytest.raises(TypeError):
        colours["red"] = 9  # type: ignore[index]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("gren", "Unknown colour 'gren'. Did you mean 'green'? Known: blue, green, red."),
        ("zzz", "Unknown colour 'zzz'. Known: blue, green, red."),
    ],
)
def test_wrong_name(colours: Registry[int], asked: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        colours[asked]
    assert str(caught.value) == message


def test_wrong_name_in_an_empty_registry() -> None:
    with pytest.raises(InvalidInput, match=r"Unknown colour 'red'\. Known: none\."):
        Registry("colour")["red"]


def test_get_does_not_hide_a_wrong_name(colours: Registry[int]) -> None:
    with pytest.raises(InvalidInput):
        colours.get("gren")
