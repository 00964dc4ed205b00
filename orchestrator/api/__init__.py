"""The REST door, version 1: translates requests into verbs and answers in JSON, errors included. It holds no rule."""
