"""Advice on failed decisions: its schema, the game's own oracle, and any OpenAI-compatible endpoint.

The package imports nothing heavy; the ``openai`` library is loaded only when a request has to be made.
"""
