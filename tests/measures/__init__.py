"""Measurements with real processes, run by hand; each prints what it found and asserts nothing."""
