"""Sound devices: PortAudio, the search for the right one, and the source that captures it."""
