"""Beats as the clock of other machines: MIDI clock and Ableton Link."""
