"""Tests of the viewer; those that need a browser drive a real Chromium."""
