"""Stages and what they make, whatever their science: declarations, command lines, the runner."""
