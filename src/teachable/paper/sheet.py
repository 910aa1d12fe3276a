"""Width of the ICML style, at which every figure and table is printed, in inches."""

COLUMN = 3.25  # one column
PAGE = 6.75  # both
