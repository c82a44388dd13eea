"""Small things with no knowledge of music: addresses, back-off, threads, files that ship with the program."""
