"""Which trial a seed or a name stands for."""

import random

from tests.faults.active import Fault
from tests.faults.scenarios import SCENARIOS

# A crash of the whole database takes longest, so it is the rarest.
OFTEN = ["kill", "kill_group", "fail", "drop", "terminate", "stop", "oversleep"] * 4 + ["restart"]
# What a relay dies of: whoever plays, in one of its duties; the handler's process; the system outside.
KILLS = ["kill"] * 16 + ["kill_group"] * 2 + ["kill_runner"] * 3 + ["kill_tool"]
RELAY, FARTHEST = 24, (4, 8, 16)


def relay_of(seed: str) -> tuple[str, list[Fault]]:
    """The relay that a seed stands for: process after process, each killed at one of the first places it passes."""
    dice = random.Random(seed)
    scenario = dice.choice(sorted(SCENARIOS))
    farthest = dice.choice(FARTHEST)
    return scenario, [Fault("*", dice.randint(2, farthest), dice.choice(KILLS)) for _ in range(RELAY)]


def dice_of(recorded: dict[str, list[tuple[str, int]]], seed: str) -> tuple[str, list[Fault]]:
    """The trial that a seed stands for: one death, a relay of up to 24, or two faults of any kind."""
    dice = random.Random(seed)
    scenario = dice.choice(sorted(recorded))
    if dice.random() < 0.6:
        return scenario, [_any_fault(dice, recorded[scenario], ["kill"]) for _ in range(dice.choice((1, 4, 12, 24)))]
    return scenario, [_any_fault(dice, recorded[scenario], OFTEN) for _ in range(dice.choice((1, 2)))]


def _any_fault(dice: random.Random, passed: list[tuple[str, int]], actions: list[str]) -> Fault:
    point, hit = dice.choice(passed)
    return Fault(point, hit, dice.choice(actions))


def name_of(scenario: str, faults: list[Fault]) -> str:
    return f"{scenario}/{'+'.join(map(str, faults))}"


def read(name: str) -> tuple[str, list[Fault]]:
    scenario, _, faults = name.partition("/")
    return scenario, [Fault.read(text) for text in faults.split("+") if text]
