"""Sound to events, without I/O: features, models and the heads that judge. Training imports it."""
