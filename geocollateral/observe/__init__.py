"""Blocks and pixels: plan, cube, masks, indices, zonal statistics."""
