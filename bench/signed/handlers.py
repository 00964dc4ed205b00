"""The least a step can do: give back about 200 bytes."""


def step(input, context):
    return {"text": input["text"], "note": "x" * 160}
