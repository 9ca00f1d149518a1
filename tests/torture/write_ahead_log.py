"""Where the commits of SQLite's write-ahead log end, from its format: a header of 32 bytes, then frames of 24 and a page."""

from __future__ import annotations

HEADER, FRAME_HEADER = 32, 24


def commit_ends(log: bytes) -> list[int]:
    """Return the lengths of a log at which a transaction has just been committed, beginning with that of none."""
    page = int.from_bytes(log[8:12], "big")
    frame = FRAME_HEADER + page
    salts = log[16:24]
    ends = [HEADER]
    for start in range(HEADER, len(log) - frame + 1, frame):
        if log[start + 8 : start + 16] != salts:
            break
        if log[start + 4 : start + 8] != bytes(4):
            ends.append(start + frame)
    return ends
