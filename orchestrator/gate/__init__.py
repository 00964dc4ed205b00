"""The only door to side effects: propose, decide, redeem, report, reconcile, undo. Nothing acts on the world around it."""
