"""The energy head: how much the music drives, on the scale of this night."""
