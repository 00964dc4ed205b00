"""What is written when trying ends, and what becomes of letters that have the same cause."""
