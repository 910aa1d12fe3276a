"""The figures, one module each: ``draw(data) -> matplotlib.figure.Figure``."""
