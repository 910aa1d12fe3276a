"""What the rules ask of the library: the configuration resolved for its world, and the command lines of stages."""
