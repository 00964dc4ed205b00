"""Sums that follow the ledger and the executions, so that no page reads every row."""
