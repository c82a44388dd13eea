"""Sound comes in: devices, files, raw PCM, and the queue between them and the analysis."""
