"""Teachable Moments: which failures of an LLM agent are worth teaching from, and how."""

__version__ = "0.1.0"
