"""Errors of the file system that no command expects, as one sentence instead of a crash."""

import errno
from typing import Any

from typer.core import TyperGroup

from mixfront.exceptions import UsageError

# Others, such as ENOENT, may be a bug of ours, whose traceback is worth keeping.
REMEDIES = {
    errno.ENAMETOOLONG: "use a shorter name",
    errno.EACCES: "change its permissions, or name another place",
    errno.EPERM: "change its permissions, or name another place",
    errno.EROFS: "name another place",
    errno.ENOSPC: "free some space, or name another place",
    errno.EDQUOT: "free some space, or name another place",
}


class CommandGroup(TyperGroup):
    """Commands whose unexpected errors of the file system become a sentence with a remedy."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            UsageError: If a file's name is too long, or its place cannot be read or written.
        """
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno not in REMEDIES or error.filename is None:
                raise
            path, remedy = str(error.filename), REMEDIES[error.errno]
            raise UsageError(f"cannot use {path!r}: {error.strerror}; {remedy}") from error
