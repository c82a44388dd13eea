"""Data sets: read, prepared as log-mel frames, kept in files and shards."""
