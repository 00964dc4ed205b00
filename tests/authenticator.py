"""An authenticator app: it knows the key that the site gave it and shows the code of the half minute, as a phone does."""

import time
from typing import Any

from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value

PERIOD = 30
_apps: dict[str, "App"] = {}


class App:
    def __init__(self, secret: str = "") -> None:
        self.secret = secret or generate_totp_secret()

    def code(self, *, later: int = 0) -> str:
        """What it shows now, or so many half minutes later."""
        return format_hotp_value(hotp_value(self.secret, int(time.time()) // PERIOD + later))

    def wrong_code(self) -> str:
        """Six digits that are none of the codes taken now."""
        taken = {self.code(later=step) for step in (-2, -1, 0, 1, 2)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in taken)


def given_to(user: Any) -> App:
    """This person has added an app."""
    app = _apps[user.get_username()] = App()
    TOTP.activate(user, app.secret)
    return app


def app_of(username: str) -> App:
    """The phone of somebody who has added one."""
    return _apps[username]
