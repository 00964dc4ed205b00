"""Tell people and systems what happened: spread a notice over whom it concerns, then send, again and again until it arrived."""
