"""Tests of the set log."""
