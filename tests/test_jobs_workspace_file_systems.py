"""A home on a network file system is warned of; the kind is that of the innermost mount."""

from __future__ import annotations

from pathlib import Path

import pytest

from tickercast.jobs.workspace.file_systems import file_system_of, network_warning

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 22 0:41 / /srv/my\040data rw,relatime - nfs4 server:/data rw
32 31 8:2 / /srv/my\040data/local rw - xfs /dev/vdb rw
33 22 0:42 / /over rw - ext4 /dev/vdc rw
34 33 0:43 / /over rw - fuse.sshfs host: rw
35 22 0:44 / /srv/my rw - cifs //host/my rw
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/user/record", "ext4"),
        ("/srv/my data", "nfs4"),
        ("/srv/my data/record/deeper", "nfs4"),
        ("/srv/my data/local/record", "xfs"),
        ("/over/record", "fuse.sshfs"),
        ("/srv/my/record", "cifs"),
        ("/srv/my-data", "ext4"),
    ],
)
def test_the_innermost_and_last_mount_tells_the_kind(tmp_path: Path, path: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert file_system_of(Path(path), mounts) == kind
    warning = network_warning(Path(path), mounts)
    assert (warning is None) == (kind in ("ext4", "xfs"))
    assert warning is None or f"on a network file system ({kind})" in warning


def test_where_the_system_does_not_tell_there_is_no_warning(tmp_path: Path) -> None:
    assert network_warning(tmp_path, tmp_path / "missing") is None


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="only Linux lists its mounts there")
def test_the_kind_of_a_folder_of_this_machine_is_known(tmp_path: Path) -> None:
    assert file_system_of(tmp_path)
