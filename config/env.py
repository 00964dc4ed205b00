"""Settings that come from outside: environment variables, checked when they are read.

Every reader returns a usable value or raises `ImproperlyConfigured` with a paragraph that names the variable,
says what is wrong with it and shows what a right one looks like. What a value is for stands in settings.
"""

import logging
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
# Of random letters and digits that is 190 bits.
SHORTEST_KEY = 32
# As seconds 68 years: a moment so far from now is still one.
MOST = 2**31 - 1


def text(name: str, default: str) -> str:
    """The variable's text, or `default` when it is unset or blank."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    """A yes-or-no variable. Anything else is refused: a typo must not quietly switch a guard off."""
    word = os.environ.get(name, "").strip().lower()
    if not word:
        return default
    if word in TRUE | FALSE:
        return word in TRUE
    raise _wrong(name, "is neither yes nor no", f"{name}=1 to switch it on or {name}=0 to switch it off")


def integer(name: str, default: int, *, at_least: int | None = None, at_most: int = MOST) -> int:
    """A whole number that clocks and columns can hold."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise _wrong(name, "is not a whole number", f"{name}={default}") from None
    if at_least is not None and number < at_least:
        raise _wrong(name, f"is below {at_least}, the least that makes sense", f"{name}={default}")
    if number > at_most:
        raise _wrong(name, f"is above {at_most}, the most that makes sense", f"{name}={default}")
    return number


def port(name: str, default: int) -> int:
    return integer(name, default, at_least=1, at_most=65_535)


def log_level(name: str, default: str) -> str:
    word = text(name, default).upper()
    if word not in logging.getLevelNamesMapping():
        raise _wrong(name, "is no log level", f"{name}={default}")
    return word


def site(name: str, default: str) -> str:
    """Where a site is reached: what links begin with, and whose host name passkeys belong to."""
    address = text(name, default)
    try:
        parts = urlsplit(address)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        whole = False
    if not whole:
        raise _wrong(name, "is no address of a site", f"{name}=https://holdpoint.example")
    return address


def noted(name: str, default: str) -> str:
    """What `make run` has written down under that name in VAR_DIR, or `default`: a full disk leaves an empty file."""
    path = var_dir() / name
    return path.read_text().strip() if path.is_file() and path.stat().st_size else default


def seconds(name: str, default: float) -> float:
    """A duration in seconds; more than zero and less than a lifetime, fractions allowed."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        duration = float(value)
    except ValueError:
        duration = -1.0
    # Written this way round so that "nan", which compares false with everything, is refused too.
    if not 0 < duration <= MOST:
        raise _wrong(name, "is not a duration in seconds", f"{name}={default:g}")
    return duration


def limits(name: str, default: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Pairs of limits by figure, `queue_age=10:60,clock=2:60`; what is not named keeps its default."""
    found = dict(default)
    for part in names(name, ""):
        key, _, pair = part.partition("=")
        try:
            first, second = (float(number) for number in pair.split(":"))
        except ValueError:
            raise _wrong(name, f"has no pair of numbers in {part!r}", f"{name}=queue_age=10:60") from None
        if key not in default:
            raise _wrong(name, f"names {key!r}, which is none of {', '.join(default)}", f"{name}=queue_age=10:60")
        if not 0 <= first < second < float("inf"):
            raise _wrong(name, f"has {part!r}, whose first number is not below its second", f"{name}=queue_age=10:60")
        found[key] = (first, second)
    return found


def names(name: str, default: str) -> list[str]:
    """A comma-separated list; spaces and empty entries are dropped."""
    return [word for word in (part.strip() for part in text(name, default).split(",")) if word]


def origins(name: str) -> list[str]:
    """Where forms may come from: scheme and host each. The web server starts without Django's own look at them."""
    found = names(name, "")
    for one in found:
        if not one.startswith(("http://", "https://")):
            raise _wrong(name, f"has {one!r}, which begins with no scheme", f"{name}=https://holdpoint.example")
    return found


def secret(name: str, default: str = "") -> str:
    """The secret in NAME, or in the file that NAME_FILE points to (how containers hand secrets over)."""
    value, path = os.environ.get(name, "").strip(), os.environ.get(f"{name}_FILE", "").strip()
    if value and path:
        raise ImproperlyConfigured(
            f"Both {name} and {name}_FILE are set, and only one of them can be right. "
            f"Keep {name}_FILE=/run/secrets/{name.lower()} and unset {name}, or the other way round."
        )
    return _read_secret(name, Path(path)) if path else value or default


def secret_key(path: Path) -> str:
    """Django's signing key: SECRET_KEY, SECRET_KEY_FILE, or one made up on first use and kept in `path`."""
    given = secret("SECRET_KEY")
    if given and len(given) < SHORTEST_KEY:
        raise ImproperlyConfigured(
            f"SECRET_KEY has {len(given)} characters, and with fewer than {SHORTEST_KEY} it can be guessed: whoever does is "
            "signed in as anybody. Leave it out and one is made under VAR_DIR, or make one: "
            "python -c 'import secrets; print(secrets.token_urlsafe(48))'."
        )
    return given or kept_secret(path)


def kept_secret(path: Path) -> str:
    """A secret nobody has to choose: made up on first use, kept in `path`, readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(48))
        value = path.read_text(errors="replace").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} can neither be read nor made ({error.strerror}). VAR_DIR must name a folder that belongs to the user "
            "this process runs as, on a disk with room: VAR_DIR=/var/lib/holdpoint."
        ) from None
    # A disk that lost power may leave an empty file, or zeros: a key that anybody could guess.
    if not value or not value.isprintable() or "\N{REPLACEMENT CHARACTER}" in value:
        raise ImproperlyConfigured(
            f"{path} holds no secret any more. Put the one there that is kept beside the backups. If there is none, remove "
            "the file: another one is made, which opens nothing that the old one closed (docs/production.md, Keys)."
        )
    return value


def var_dir() -> Path:
    """Where a run keeps all it writes (database, secrets, releases, logs): VAR_DIR or var/ in the project."""
    return Path(text("VAR_DIR", str(Path(__file__).resolve().parent.parent / "var"))).absolute()


def _write_once(path: Path, value: str) -> None:
    """Create `path` whole or not at all: web and worker may both be first, and need the same secret."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # somebody else was first; theirs counts
    finally:
        draft.unlink()


def _read_secret(name: str, path: Path) -> str:
    try:
        value = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"The environment variable {name}_FILE points to {path}, which cannot be read "
            f"({getattr(error, 'strerror', 'it is not text')}). It must name a file that holds nothing but the secret, "
            f"readable by the user this process runs as."
        ) from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE points to {path}, which is empty. The file must hold the secret.")
    return value


def _wrong(name: str, problem: str, right: str) -> ImproperlyConfigured:
    value = os.environ[name].strip()
    return ImproperlyConfigured(
        f"The environment variable {name} is {value!r}, which {problem}. A right one looks like {right}."
    )
