"""The network that imagines the next frame. Knows no screen, no sound, no clock."""
