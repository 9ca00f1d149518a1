"""What the networks refuse.

RnnError
├── ShapeError        arrays whose axes do not fit together, or sizes that no network has
├── InputError        values that cannot be trained on: none at all, or not finite
├── TrainingError     an optimizer, schedule or loss that there is not
└── CheckpointError   bytes that are no checkpoint of ours, or of another version
"""


class RnnError(Exception):
    """The root: everything that rnn raises on purpose."""


class ShapeError(RnnError):
    pass


class InputError(RnnError):
    pass


class TrainingError(RnnError):
    pass


class CheckpointError(RnnError):
    pass
