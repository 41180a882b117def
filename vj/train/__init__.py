"""Learning: footage in, weights out. Runs beside the show, never inside it."""
