"""Recurrent networks from scratch in NumPy, trained as stacks: many small networks in lockstep. docs/rnn.md explains them.

No I/O, clock, log or global random state; nothing here knows a file or a ticker. Read in this order:

plain           one network in plain loops, in the article's letters
params          sizes, names and first values of a stack's params
cells           Elman, GRU and LSTM: forward rule and backward rule
network         layers over a window, and backpropagation through time
readout         outputs from hidden states
losses          squared error and Student-t likelihood, with gradients
density         the head of the daily forecasts: a distribution for each horizon
supervised      the article's head: squared error at the last session
training        the loop over epochs
optimizers      Adam, SGD, schedules, clipping
state           params and optimizer moments together
checkpoints     a state as bytes
features        inputs, targets and baseline from bars
onnx_graph      a network for other programs

params, cells and optimizers hold the allowed names: MOST_LAYERS, CELLS, OPTIMIZERS, SCHEDULES.
"""
