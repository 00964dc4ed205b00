"""A workflow file becomes a frozen spec, or a list of errors with positions. Pure: no Django, no database."""
