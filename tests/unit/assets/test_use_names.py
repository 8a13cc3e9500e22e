"""What people write as use is read as the groups that bear it out."""

from __future__ import annotations

import pytest

from geocollateral.assets.use_names import read_use


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("冬小麦", {"winter_crop"}),
        ("小麦-玉米轮作", {"winter_summer"}),
        ("winter wheat and maize", {"winter_summer"}),
        ("水稻", {"rice"}),
        ("早稻", {"rice"}),
        ("双季稻", {"double_rice"}),
        ("rice-rapeseed", {"rape_rice"}),
        ("油菜", {"winter_rape"}),
        ("花生", {"summer_crop"}),
        ("Soybeans", {"summer_crop"}),
        ("旱稻", {"summer_crop"}),
        ("大棚蔬菜", {"greenhouse"}),
        ("greenhouse vegetables", {"greenhouse"}),
        ("苹果", {"orchard", "deciduous", "evergreen"}),
        ("茶园", {"orchard", "evergreen"}),
        ("牧草", {"grass"}),
        ("撂荒", {"grass", "bare_built"}),
        ("杉木", {"conifer"}),
        ("落叶松", {"deciduous"}),
        ("毛竹", {"evergreen"}),
        ("橡胶", {"deciduous", "evergreen"}),
        ("虾塘", {"water"}),
        ("甘蔗", set()),
    ],
)
def test_uses_are_read(text: str, fits: set[str]) -> None:
    named = read_use(text)
    assert named is not None
    assert named.fits == fits
    assert not named.fits & (named.part | named.alike)


@pytest.mark.parametrize("text", ["", "xyz", "price", "火星"])
def test_unknown_words_are_no_use(text: str) -> None:
    assert read_use(text) is None
