"""What can happen to the bytes of a file, and to the file itself. Pure functions of seeded random numbers, and of one path."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

PAGE, SECTOR = 4096, 512

Change = Callable[[random.Random, bytes], bytes]
Placement = Callable[[Path, bytes], None]


def flip_bits(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with one bit flipped, or a few."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        place = rng.randrange(8 * len(changed))
        changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def change_bytes(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with a run of other bytes."""
    start = rng.randrange(len(content))
    run = rng.randbytes(rng.choice((1, 4, 16, SECTOR)))[: len(content) - start]
    return content[:start] + run + content[start + len(run) :]


def truncate(rng: random.Random, content: bytes) -> bytes:
    """Return the beginning of some bytes."""
    return content[: rng.randrange(len(content))]


def zero_run(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with a run of zeros, often a whole sector or page as a disk loses it."""
    size = rng.choice((1, 16, SECTOR, PAGE))
    start = rng.randrange(len(content)) // size * size
    run = bytes(len(content[start : start + size]))
    return content[:start] + run + content[start + size :]


def append(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with others after them: its own, zeros or noise."""
    size = rng.choice((1, SECTOR, PAGE))
    return content + rng.choice((content[:size], bytes(size), rng.randbytes(size)))


def exchange_pages(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with two pages exchanged, or with one page twice."""
    pages = [content[start : start + PAGE] for start in range(0, len(content), PAGE)]
    if len(pages) < 2:
        return flip_bits(rng, content)
    one, other = rng.sample(range(len(pages)), 2)
    pages[one], pages[other] = pages[other], rng.choice((pages[one], pages[other]))
    return b"".join(pages)


def page_of(older: bytes) -> Change:
    """Return a change that puts one page of other bytes, such as an older version of the file, into some bytes."""

    def change(rng: random.Random, content: bytes) -> bytes:
        start = rng.randrange(min(len(content), len(older))) // PAGE * PAGE
        return content[:start] + older[start : start + PAGE] + content[start + PAGE :]

    return change


def whole(other: bytes) -> Change:
    """Return a change that puts other bytes in the place of some."""
    return lambda _rng, _content: other


CHANGES: tuple[Change, ...] = (flip_bits, flip_bits, change_bytes, truncate, zero_run, append, exchange_pages)


def remove(path: Path, _content: bytes) -> None:
    """Leave nothing there."""


def make_fifo(path: Path, _content: bytes) -> None:
    """Put a pipe there, which a careless reader waits for."""
    os.mkfifo(path)


def make_folder(path: Path, _content: bytes) -> None:
    """Put a folder there."""
    path.mkdir()


def make_empty(path: Path, _content: bytes) -> None:
    """Put an empty file there."""
    path.touch()


def link_to_copy(path: Path, content: bytes) -> None:
    """Put a link there to a file with the right bytes."""
    target = path.with_name(f"{path.name}.elsewhere")
    target.write_bytes(content)
    path.symlink_to(target)


def link_to_device(path: Path, _content: bytes) -> None:
    """Put a link there to a device that never ends."""
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path, _content: bytes) -> None:
    """Put a link there that leads to itself."""
    path.symlink_to(path)


PLACEMENTS: tuple[Placement, ...] = (
    remove, make_fifo, make_folder, make_empty, link_to_copy, link_to_device, link_to_itself,
)  # fmt: skip


def place(path: Path, content: bytes) -> None:
    """Write a file, whatever is there now."""
    clear(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def clear(path: Path) -> None:
    """Remove whatever a path names, and what a link to a copy needs."""
    for each in (path, path.with_name(f"{path.name}.elsewhere")):
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink(missing_ok=True)


def name_of(change: Change | Placement) -> str:
    """Return what a change is called in a sentence."""
    return change.__qualname__.split(".")[0].replace("_", " ")
