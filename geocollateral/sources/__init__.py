"""Imagery in, one file per source."""
