"""Evaluation: panels to play, reliability and stuckness, paired contrasts, transfer, mechanism, drift."""
