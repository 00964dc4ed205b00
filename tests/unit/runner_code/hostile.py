"""Handlers that do what a handler must not do. Each harms nobody but its own attempt."""

from __future__ import annotations

import builtins
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

Fields = dict[str, Any]


def fork_and_return(given: Fields, context: Any) -> Fields:
    if os.fork() == 0:
        os.execv("/bin/sleep", ["sleep", given["mark"]])
    return {"forked": True}


def daemonise(given: Fields, context: Any) -> Fields:
    """The classic: fork, new session, fork again, so that nobody is the daemon's parent."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sleep", ["sleep", given["mark"]])
        os._exit(0)
    os.waitpid(pid, 0)
    return {"daemon": True}


def daemonise_and_hang(given: Fields, context: Any) -> Fields:
    daemonise(given, context)
    return hang(given, context)


def leave_a_thread(given: Fields, context: Any) -> Fields:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return {"thread": True}


def fork_bomb(given: Fields, context: Any) -> Fields:
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)


def hang(given: Fields, context: Any) -> Fields:
    while True:
        time.sleep(60)


def hang_deaf(given: Fields, context: Any) -> Fields:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    return hang(given, context)


def spin(given: Fields, context: Any) -> Fields:
    while True:
        pass


def stop_itself(given: Fields, context: Any) -> Fields:
    os.kill(os.getpid(), signal.SIGSTOP)
    return hang(given, context)


def exit_silently(given: Fields, context: Any) -> Fields:
    os._exit(0)


def exit_loudly(given: Fields, context: Any) -> Fields:
    print("last words", flush=True)  # noqa: T201
    os._exit(3)


def raise_exit(given: Fields, context: Any) -> Fields:
    sys.exit("enough")


def segfault(given: Fields, context: Any) -> Fields:
    ctypes.string_at(0)
    return {}


def shoot_everybody(given: Fields, context: Any) -> Fields:
    for number in (os.getppid(), -1):
        try:
            os.kill(number, signal.SIGKILL)
        except OSError:
            continue
    os.kill(os.getpid(), signal.SIGKILL)
    os.abort()


def garbage_on_stdout(given: Fields, context: Any) -> Fields:
    for number in (1, 2):
        os.write(number, b"\xff\x00{]garbage\n" * 100)
    print("\ud800 printed")  # noqa: T201
    return {"fine": True}


def garbage_everywhere(given: Fields, context: Any) -> Fields:
    for number in range(256):
        try:
            os.write(number, b"\xff\x00{]garbage\n" * 100)
        except OSError:
            continue
    return hang(given, context)


def forge(given: Fields, context: Any) -> Fields:
    """A frame that looks right, with a nonce of yesterday."""
    context._channel.send({"type": "done", "nonce": "0" * 16, "altered": False}, '{"forged":true}')
    return hang(given, context)


def huge_frame(given: Fields, context: Any) -> Fields:
    context._channel.send({"type": "done", "nonce": context._header["nonce"]}, json.dumps({"x": "y" * 50_000_000}))
    return {}


def close_everything(given: Fields, context: Any) -> Fields:
    os.closerange(0, 256)
    return {"closed": True}


def return_50_mb(given: Fields, context: Any) -> Fields:
    return {"text": "x" * 50_000_000}


def return_an_object(given: Fields, context: Any) -> Any:
    return {"object": object()}


def return_a_list(given: Fields, context: Any) -> Any:
    return [1, 2, 3]


def return_nan(given: Fields, context: Any) -> Fields:
    return {"amount": float("nan")}


def return_a_lone_surrogate(given: Fields, context: Any) -> Fields:
    return {"text": "\ud800"}


def return_nul(given: Fields, context: Any) -> Fields:
    return {"text": "a\0b"}


def return_a_deep_nest(given: Fields, context: Any) -> Fields:
    nest: list[Any] = []
    for _ in range(10_000):
        nest = [nest]
    return {"nest": nest}


def send_a_deep_nest(given: Fields, context: Any) -> Fields:
    done = {"type": "done", "nonce": context._header["nonce"], "altered": False}
    context._channel.send(done, '{"nest":' + "[" * 10_000 + "]" * 10_000 + "}")
    return hang(given, context)


def raise_something_odd(given: Fields, context: Any) -> Fields:
    class Odd(BaseException):
        def __str__(self) -> str:
            raise ValueError("no words")

    raise Odd


def raise_with_odd_text(given: Fields, context: Any) -> Fields:
    raise context.BusinessError("nul \0 surrogate \ud800 " + "long " * 10_000)


def patch_builtins(given: Fields, context: Any) -> Fields:
    builtins.len = lambda anything: 0
    json.dumps = lambda *_, **__: "{}"
    return {"patched": True}


def patch_json(given: Fields, context: Any) -> Fields:
    json.dumps = lambda *_, **__: '{"poisoned":true}'
    json.loads = lambda *_, **__: {"poisoned": True}
    return {"patched": True}


def change_environment(given: Fields, context: Any) -> Fields:
    os.environ["LEFT_BEHIND"] = "yes"
    return {"changed": True}


def set_an_alarm(given: Fields, context: Any) -> Fields:
    signal.alarm(1)
    return {"alarm": True}


def leak_files(given: Fields, context: Any) -> Fields:
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(60)]
    return {"leaked": len(files)}


def allocate_4_gb(given: Fields, context: Any) -> Fields:
    return {"size": len(bytearray(4 << 30))}


def fill_the_disk(given: Fields, context: Any) -> Fields:
    block = b"x" * (1 << 20)
    for number in range(100_000):
        with open(f"file-{number}", "wb") as file:
            for _ in range(given.get("megabytes", 16)):
                file.write(block)
    return {"filled": True}


def one_big_file(given: Fields, context: Any) -> Fields:
    with open("file", "wb") as file:
        for _ in range(1000):
            file.write(b"x" * (1 << 20))
    return {"written": True}


def print_forever(given: Fields, context: Any) -> Fields:
    for number in range(20_000):
        print(f"line {number} " + "x" * 100)  # noqa: T201
    return {"printed": True}


def dig(given: Fields, context: Any) -> Fields:
    """A folder in a folder in a folder, deeper than any path may be long."""
    for _ in range(given["depth"]):
        os.mkdir("down")
        os.chdir("down")
    return given


def fill_with_nothing(given: Fields, context: Any) -> Fields:
    number = 0
    while True:
        os.mkdir(f"folder-{number}")
        number += 1


def lock_a_folder(given: Fields, context: Any) -> Fields:
    os.makedirs("locked/inside")
    os.chmod("locked", 0)
    return {"locked": True}


def run_a_program(given: Fields, context: Any) -> Fields:
    return {"said": subprocess.run(["/bin/echo", "hello"], capture_output=True, text=True, check=True).stdout}
