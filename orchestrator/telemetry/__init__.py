"""OpenTelemetry: the words of its conventions, its wire, and how parts of a trace read in both directions."""
