"""The key model: songs of exact keys, its data, network and scores."""
