"""The errors that rnn raises on purpose.

RnnError
├── ShapeError        arrays whose axes do not fit together, or impossible sizes of a network
├── InputError        values that cannot be trained on: none at all, or not finite
├── TrainingError     an unknown optimizer or schedule, or a training setting out of range
└── CheckpointError   bytes that are not a checkpoint, or one of an unknown version
"""


class RnnError(Exception):
    """The root of the errors of rnn."""


class ShapeError(RnnError):
    pass


class InputError(RnnError):
    pass


class TrainingError(RnnError):
    pass


class CheckpointError(RnnError):
    pass
