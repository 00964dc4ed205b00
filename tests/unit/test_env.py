"""Settings from outside: what each reader accepts, and what it says when it does not."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

ROOT = Path(__file__).parents[2]


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


class TestABadSetting:
    @pytest.mark.parametrize(
        ("command", "variable"),
        [
            (("manage.py", "check"), "LEASE_SECONDS"),
            (("manage.py", "worker"), "LEASE_SECONDS"),
            (("-m", "config.run"), "PORT"),
            (("-m", "gunicorn", "--config", "python:config.gunicorn", "config.wsgi"), "WEB_WORKERS"),
            (("-m", "gunicorn", "--config", "python:config.gunicorn", "config.wsgi"), "LEASE_SECONDS"),
        ],
    )
    def test_ends_the_command_with_one_sentence(self, tmp_path: Path, command: tuple[str, ...], variable: str) -> None:
        # A database address, so that none is started.
        done = run(*command, VAR_DIR=str(tmp_path), DATABASE_URL="postgresql://nowhere.invalid/x", **{variable: "abc"})

        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith(f"The environment variable {variable} is 'abc', which is not a ")
        assert done.stderr.count("\n") == 1


class TestAnswersInASentence:
    """Whatever is wrong with the installation, and whoever asks: no traceback, and what to do about it."""

    @pytest.mark.parametrize(
        ("environment", "said"),
        [
            ({"SECRET_KEY": "changeme"}, "SECRET_KEY has 8 characters, and with fewer than 32 it can be guessed"),
            ({"SECRET_KEY_FILE": sys.executable}, f"SECRET_KEY_FILE points to {sys.executable}, which cannot be read"),
            ({"VAR_DIR": "/dev/null/var"}, "/dev/null/var/secret_key can neither be read nor made (Not a directory)."),
            ({}, "The database did not answer: connection failed: "),
        ],
    )
    def test_by_every_command(self, tmp_path: Path, environment: dict[str, str], said: str) -> None:
        nobody = {"VAR_DIR": str(tmp_path), "DATABASE_URL": "postgresql://127.0.0.1:1/x", "SECRET_KEY": ""}

        done = run("manage.py", "report_backup", "all of it", **nobody | environment)

        assert done.returncode == 1
        assert said in done.stderr
        assert done.stderr.count("\n") == 1

    def test_by_a_command_whose_disk_takes_nothing(self) -> None:
        done = run("manage.py", "collectstatic", "--noinput", VAR_DIR="/dev/null/var", SECRET_KEY="k" * 32)

        assert done.returncode == 1
        assert done.stderr.startswith("The disk does not do it: [Errno 20] Not a directory: '/dev/null/var")
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            ("validate examples >&-", 0),
            ("validate /nowhere >&- 2>&-", 1),
            ("validate examples | true; exit ${PIPESTATUS[0]}", 1),
        ],
    )
    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_by_a_command_whose_output_nobody_takes(self, line: str, status: int, unbuffered: str) -> None:
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} manage.py {line}"], cwd=ROOT, check=False, capture_output=True, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered}, timeout=60,
        )  # fmt: skip

        assert (done.returncode, done.stderr) == (status, "")

    @pytest.mark.parametrize(
        ("environment", "said"),
        [
            ({"HOST": "203.0.113.7"}, "Nothing can listen at 203.0.113.7, port 8000: Cannot assign requested address."),
            ({"HOST": "::1"}, "Nothing can listen at ::1, port 8000: "),
            (
                {"VAR_DIR": "/dev/null/var"},
                "The site cannot keep its data: [Errno 20] Not a directory: '/dev/null/var'.",
            ),
        ],
    )
    def test_by_make_run(self, tmp_path: Path, environment: dict[str, str], said: str) -> None:
        done = run("-m", "config.run", **{"VAR_DIR": str(tmp_path), "PORT": "8000"} | environment)

        assert done.returncode == 1
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") == 1

    def test_also_where_a_full_disk_kept_the_port_from_being_noted(self, tmp_path: Path) -> None:
        (tmp_path / "port").write_text("")

        done = run("-c", "from config import settings; print(settings.SITE_URL)", VAR_DIR=str(tmp_path), PORT="")

        assert done.stdout == "http://localhost:8000\n"

    def test_takes_a_log_level_in_small_letters(self, tmp_path: Path) -> None:
        assert run("manage.py", "help", VAR_DIR=str(tmp_path), LOG_LEVEL="debug").returncode == 0


class TestHttps:
    ASK = (
        "from config import settings as s; print(s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS, s.SESSION_COOKIE_SECURE)"
    )

    @pytest.mark.parametrize(
        ("environment", "said"),
        [
            ({"HTTPS": "no"}, "False 0 False"),
            ({"HTTPS": "yes"}, "True 31536000 True"),
            ({"HTTPS": "yes", "HSTS_SECONDS": "0"}, "True 0 True"),
        ],
    )
    def test_is_one_switch_for_redirect_hsts_and_cookies(
        self, tmp_path: Path, environment: dict[str, str], said: str
    ) -> None:
        assert run("-c", self.ASK, VAR_DIR=str(tmp_path), **environment).stdout.strip() == said


class TestAWord:
    @pytest.mark.parametrize(
        ("read", "name", "word"),
        [
            (env.log_level, "LOG_LEVEL", "loud"),
            (env.site, "SITE_URL", "holdpoint.example"),
            (env.site, "SITE_URL", "ftp://holdpoint.example"),
            (env.site, "SITE_URL", "https://"),
            (env.port, "PORT", "99999"),
            (env.port, "PORT", "0"),
        ],
    )
    def test_that_means_nothing_is_refused_beside_one_that_does(
        self, monkeypatch: pytest.MonkeyPatch, read: Callable[[str, Any], Any], name: str, word: str
    ) -> None:
        monkeypatch.setenv(name, word)

        with pytest.raises(ImproperlyConfigured, match=rf"{name} is '{word}', which .* looks like {name}="):
            read(name, "")

    @pytest.mark.parametrize(
        ("read", "word"),
        [(env.log_level, "DEBUG"), (env.site, "https://holdpoint.example:8443/")],
    )
    def test_that_means_something_is_taken_as_it_is(
        self, monkeypatch: pytest.MonkeyPatch, read: Callable[[str, str], str], word: str
    ) -> None:
        monkeypatch.setenv("A_SETTING", word)

        assert read("A_SETTING", "") == word


class TestFlag:
    @pytest.mark.parametrize(("word", "meaning"), [("1", True), ("Yes", True), ("off", False), ("0", False)])
    def test_reads_yes_and_no(self, monkeypatch: pytest.MonkeyPatch, word: str, meaning: bool) -> None:
        monkeypatch.setenv("HTTPS", word)

        assert env.flag("HTTPS", not meaning) is meaning

    def test_is_the_default_when_unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HTTPS", raising=False)

        assert env.flag("HTTPS", True) is True

    def test_refuses_a_word_that_is_neither(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS", "flase")

        with pytest.raises(ImproperlyConfigured, match=r"HTTPS is 'flase', which is neither.*HTTPS=1"):
            env.flag("HTTPS", True)


class TestNumbers:
    def test_refuses_a_fraction_where_a_whole_number_belongs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORKERS", "2.5")

        with pytest.raises(ImproperlyConfigured, match=r"'2\.5', which is not a whole number.*WORKERS=4"):
            env.integer("WORKERS", 4)

    def test_refuses_a_number_below_the_least(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORKERS", "0")

        with pytest.raises(ImproperlyConfigured, match="below 1"):
            env.integer("WORKERS", 4, at_least=1)

    def test_refuses_a_number_that_no_clock_holds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RECORD_READ_AGAIN_AFTER", "99999999999")

        with pytest.raises(ImproperlyConfigured, match="above 2147483647"):
            env.integer("RECORD_READ_AGAIN_AFTER", 60)

    @pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e10", "10s"])
    def test_refuses_what_is_no_duration(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("LEASE_SECONDS", text)

        with pytest.raises(ImproperlyConfigured, match=r"not a duration in seconds.*LEASE_SECONDS=15"):
            env.seconds("LEASE_SECONDS", 15)

    def test_reads_a_fraction_of_a_second(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LEASE_SECONDS", "0.5")

        assert env.seconds("LEASE_SECONDS", 15) == 0.5


class TestOrigins:
    def test_are_refused_without_their_scheme(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CSRF_TRUSTED_ORIGINS", "https://one.example, two.example")

        with pytest.raises(ImproperlyConfigured, match=r"has 'two\.example', which begins with no scheme"):
            env.origins("CSRF_TRUSTED_ORIGINS")

    def test_may_be_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CSRF_TRUSTED_ORIGINS", "https://one.example,https://*.two.example")

        assert env.origins("CSRF_TRUSTED_ORIGINS") == ["https://one.example", "https://*.two.example"]


class TestSecret:
    def test_is_read_from_the_file_that_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("whisper\n")
        monkeypatch.delenv("API_KEY", raising=False)
        monkeypatch.setenv("API_KEY_FILE", str(tmp_path / "key"))

        assert env.secret("API_KEY") == "whisper"

    def test_refuses_two_sources(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("API_KEY", "one")
        monkeypatch.setenv("API_KEY_FILE", "/run/secrets/other")

        with pytest.raises(ImproperlyConfigured, match="Both API_KEY and API_KEY_FILE are set"):
            env.secret("API_KEY")

    def test_explains_a_file_that_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("API_KEY", raising=False)
        monkeypatch.setenv("API_KEY_FILE", str(tmp_path / "missing"))

        with pytest.raises(ImproperlyConfigured, match=r"API_KEY_FILE points to .*cannot be read"):
            env.secret("API_KEY")

    def test_refuses_an_empty_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("\n")
        monkeypatch.delenv("API_KEY", raising=False)
        monkeypatch.setenv("API_KEY_FILE", str(tmp_path / "key"))

        with pytest.raises(ImproperlyConfigured, match="which is empty"):
            env.secret("API_KEY")


class TestKeptSecret:
    def test_is_made_once_and_readable_by_its_owner_only(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "secret_key"

        first, second = env.kept_secret(path), env.kept_secret(path)

        assert first == second
        assert len(first) >= 50
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [file.name for file in path.parent.iterdir()] == ["secret_key"]

    @pytest.mark.parametrize("left", [b"", b"\n", bytes(64), b"\xff\xfe"])
    def test_that_a_power_cut_has_emptied_is_told_and_not_used(self, tmp_path: Path, left: bytes) -> None:
        path = tmp_path / "secret_key"
        path.write_bytes(left)

        with pytest.raises(ImproperlyConfigured, match="holds no secret any more"):
            env.kept_secret(path)
