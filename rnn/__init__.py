"""The networks, from scratch in NumPy: stacks of small recurrent networks trained in lockstep. No I/O, clock, log or global
random state; knows arrays, never a file or a ticker. Read cells, network, density, training in this order."""
