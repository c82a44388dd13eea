"""Beats and bars: songs whose beats are known exactly, the network that hears them, its training and its scores."""
