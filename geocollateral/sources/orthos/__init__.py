"""A user's orthomosaic: which band is which, and its pixels averaged by area; `sources.ortho` makes a source of it."""
