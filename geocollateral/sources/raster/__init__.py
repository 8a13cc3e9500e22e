"""The one way to rasters: files on disk, over HTTP ranges and in object stores, read by windows."""
