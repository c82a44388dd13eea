"""The moment head: build-ups, drops and breakdowns."""
