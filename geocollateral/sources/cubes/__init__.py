"""What a cube on disk says of itself, and how its file is read; `sources.cube` puts it together."""
