"""How the machine is: what workers say of themselves, what is measured, and what it means. Nothing decides by it."""
