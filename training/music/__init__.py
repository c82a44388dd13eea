"""Music of exactly known tempo and style, rendered, and what rooms and microphones do to it."""
