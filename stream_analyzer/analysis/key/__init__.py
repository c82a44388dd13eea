"""The key head: what it computes itself, its network's input, and how it follows a key."""
