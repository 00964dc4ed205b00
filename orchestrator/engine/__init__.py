"""Runs steps: claim, execute, settle, sweep. Decides no retry (retries.decide does) and lets no effect out (the gate does)."""
