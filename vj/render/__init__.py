"""From a Picture to the projector. Knows no network and no sound card."""
