"""Which examples go to which run: the matrix, recovery, selection sets, and the micro-training that
validates labels."""
