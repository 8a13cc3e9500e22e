"""What an asset is worth, as an interval."""
