"""Measuring and removing folders a handler may have filled with malice.

Nothing here recurses: what shutil and os.walk do to a tree ten thousand folders deep is a RecursionError.
"""

from __future__ import annotations

import os

# What an entry costs beside its bytes; a disk can be filled with empty files, too.
_ENTRY_BYTES = 512
_LONG_PATH = 2000


def size(top: str) -> int:
    """Bytes below a folder; what vanishes or hides while we look counts as nothing."""
    total, pending = 0, [top]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    total += _ENTRY_BYTES + entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return total


def empty(top: str) -> None:
    """Remove all below a folder, locked or not. Raises OSError when something cannot be removed."""
    found = [top]
    for folder in found:
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    found.append(entry.path if len(entry.path) < _LONG_PATH else _lifted(entry, top))
                else:
                    os.unlink(entry.path)
    for folder in found[:0:-1]:
        os.rmdir(folder)


def remove(top: str) -> None:
    """Remove a folder and all below it. Raises OSError when something cannot be removed."""
    empty(top)
    os.rmdir(top)


def _lifted(entry: os.DirEntry[str], top: str) -> str:
    """Move a folder right below the top, so that no path below it is too long to be named."""
    place = f"{top}/{entry.inode()}.lifted"
    os.chmod(entry.path, 0o700)
    os.rename(entry.path, place)
    return place
