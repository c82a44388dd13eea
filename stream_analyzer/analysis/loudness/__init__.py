"""The loudness head, by EBU R128."""
