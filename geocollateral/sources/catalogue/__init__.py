"""What a STAC catalogue lists, and how its scenes are told apart, judged and read; `sources.stac` puts it together."""
