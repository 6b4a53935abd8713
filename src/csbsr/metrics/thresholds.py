"""The thresholds of every curve."""

#: 0.01, 0.02, … 0.99, as published; a pixel is predicted to be crack if its probability is larger.
THRESHOLDS: tuple[float, ...] = tuple(step / 100 for step in range(1, 100))
