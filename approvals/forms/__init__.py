"""What people type, as it is read and refused."""
