"""Tests of the training path; they need the train extra."""
