"""The genre task: labels, windows, network, scores, calibration, report."""
