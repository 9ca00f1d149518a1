"""On which kind of file system a home is. A database in write-ahead mode is safe on a disk of this machine alone.

Source: https://www.sqlite.org/wal.html: all processes that use such a database must be on one machine.
"""

from __future__ import annotations

from pathlib import Path

from tickercast.storage.paths import real_path

MOUNTS = Path("/proc/self/mountinfo")
OF_A_NETWORK = {
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
}
OF_A_NETWORK_IN_USER_SPACE = {"fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"}
ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def network_warning(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return a warning for a folder on a network file system, None for another one, and where the system does not tell."""
    kind = file_system_of(path, mounts)
    if kind not in OF_A_NETWORK | OF_A_NETWORK_IN_USER_SPACE:
        return None
    return (
        f"warning: {path} is on a network file system ({kind}); SQLite is safe there only while one machine alone uses the "
        "database; a disk of this machine is better"
    )


def file_system_of(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the kind of file system that a path is on, None where the system does not tell. mounts: as in proc(5)."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place, found, longest = real_path(path), None, -1
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = Path(_plain(fields.split()[4]))
        if place.is_relative_to(point) and len(point.parts) >= longest:  # of two mounts at one point the later one counts
            found, longest = rest.split()[0], len(point.parts)
    return found


def _plain(text: str) -> str:
    for escape, character in ESCAPES.items():
        text = text.replace(escape, character)
    return text
