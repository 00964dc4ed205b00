"""That it is they: passwords, second factors, what a decision is confirmed with, and how often somebody may be wrong."""
