"""What people type, as it is read and refused: a module for each page or two."""
