"""Polygons in: files of parcels to a checked area of interest."""
