"""Where handler code runs: child processes that hold no authority, as the engine starts, lends and ends them."""
