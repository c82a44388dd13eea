"""One port for the page and the stream."""
