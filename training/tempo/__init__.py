"""The tempo task: windows, network, scores, report."""
