"""The training room of the ear: music made by rule with known beats, its sound, and the small network that learns it."""
