"""Building blocks of networks, and their quantization."""
