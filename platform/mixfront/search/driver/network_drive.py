"""Tells whether a file is on a network drive, where SQLite's locks cannot be relied on."""

from pathlib import Path

_TYPES = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"})
_MOUNTS = Path("/proc/self/mounts")


def network_drive(file: str, mounts: Path = _MOUNTS) -> str | None:
    """The type of the network drive that a file is on, such as "nfs4".

    Args:
        file: A path, which need not exist.
        mounts: The kernel's list of mounts.

    Returns:
        None if the file is on a local drive, or if that is unknown, as without /proc.
    """
    try:
        lines = [line.split(" ") for line in mounts.read_text().splitlines()]
    except OSError:
        return None
    place = Path(file).resolve()
    covering = [line for line in lines if place.is_relative_to(line[1].replace(r"\040", " "))]
    if not covering:
        return None
    kind = max(covering, key=lambda line: len(line[1]))[2]
    return kind if kind in _TYPES else None
