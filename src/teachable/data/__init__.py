"""Files that an installation brings along: the configuration with its presets."""
