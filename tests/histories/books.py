"""The system outside a drawn history: it honours keys only of class A, and says what is in its books, where it says anything."""

from tests.engine import provider as providers
from tests.engine.provider import Provider, tool

HANDLERS = (
    providers.HANDLERS
    + """

def look_back(arguments, context):
    return context.http_json("GET", URL + "/finding?ref=-" + arguments["ref"], timeout=1)


def clerk(input, context):
    sent = []
    if input.get("costs"):
        context.usage(model="m-1", input_tokens=30, output_tokens=10, cost=input["costs"], currency="EUR")
    for tool, ref in input["calls"]:
        try:
            sent.append(context.call(tool, {"ref": ref}))
        except context.Refused:
            if not input.get("catches"):
                raise
            sent.append(None)
    then = input.get("then", "")
    if then == "dies_once" and context.attempt == 1:
        os._exit(3)
    if then == "falls" or then == "falls_once" and context.attempt == 1:
        raise context.SystemError("down after its calls")
    if then == "says_no":
        raise context.BusinessError("the clerk says no")
    if then == "looks":
        context.http_json("GET", URL + "/record?ref=R", timeout=5)
    return {"sent": sent, "ref": "by clerk"}


def standard(input, context):
    return {"ref": "standard", "sent": []}
"""
)
BACK = {"compensate_with": "take_back"}
TOOLS = [
    tool("A"), tool("B"), tool("C", probe=None),
    tool("B", name="fetch", effect="read", entry="handlers:read", probe=None),
    tool("A", name="back_a", **BACK),
    tool("A", name="sign_a", tier="customer_facing", **BACK), tool("B", name="sign_b", tier="customer_facing"),
    tool("C", name="sign_c", tier="customer_facing", probe=None),
    tool("B", name="dual_b", tier="financial", **BACK),
    tool("A", name="unsafe", tier="customer_facing", record="handlers:read"),
    tool("A", name="take_back", entry="handlers:take_back", probe="handlers:look_back"),
]  # fmt: skip
ANYTHING = {"type": "object", "properties": {name: {} for name in ("calls", "then", "catches", "costs")}}
AGENTS = [
    {"name": name, "owner": "eve", "unit": "finance", "allowed_tools": ["*"], "entry": f"handlers:{name}",
     "input_schema": ANYTHING if name == "clerk" else {"type": "object"}}
    for name in ("clerk", "standard")
]  # fmt: skip


def meaning_of(ref: str) -> str:
    """What an effect is in business terms: its reference before anybody corrected it."""
    return ref.partition("!")[0]


class Books(Provider):
    """`sights` are what the next look-ups meet: its books away, or an answer that tells nothing."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sights: list[str] = []
        # Key and reference of everything that was done, in order.
        self.done: list[tuple[str, str]] = []

    def take(self, key: str, body: dict[str, str]) -> tuple[int, dict[str, object]] | None:
        if not body["ref"].startswith(("A", "-")):
            self._keys.discard(key)
        before = len(self.effects)
        answer = super().take(key, body)
        self.done += [(key, ref) for ref in self.effects[before:]]
        return answer

    def has(self, key: str, ref: str) -> bool:
        """What a person finds who looks for exactly this one."""
        return (key, ref) in self.done

    def find(self, ref: str) -> dict[str, object] | None:
        sight = self.sights.pop(0) if self.sights else ""
        if sight:
            return None if sight == "away" else {"happened": "unknown"}
        return {"happened": "yes", "result": {"ref": ref}} if ref in self.effects else {"happened": "no"}


__all__ = ["AGENTS", "HANDLERS", "TOOLS", "Books", "meaning_of"]
