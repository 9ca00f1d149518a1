"""What the networks refuse.

RnnError
├── ShapeError        arrays whose axes do not fit together
└── CheckpointError   bytes that are no checkpoint of ours, or of another version
"""


class RnnError(Exception):
    """The root: everything that rnn raises on purpose."""


class ShapeError(RnnError):
    pass


class CheckpointError(RnnError):
    pass
