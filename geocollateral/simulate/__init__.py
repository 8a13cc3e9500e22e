"""A simulated world with known truth: Sentinel-2 and Sentinel-1 scenes as a catalogue of real files.

It knows nothing of the methods it judges: no index, no harmonic, no threshold of theirs is used here.
"""

from geocollateral.simulate.build import build
from geocollateral.simulate.worlds import WORLDS, SiteSpec, WorldSpec, find_world

__all__ = ["WORLDS", "SiteSpec", "WorldSpec", "build", "find_world"]
