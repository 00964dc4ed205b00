"""Immutable bundles: build from a workflow's folder, and point a channel at them. Evaluation and promotion join later."""
