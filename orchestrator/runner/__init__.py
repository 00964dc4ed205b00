"""The execution plane: the child process in which handlers run. Imports neither Django nor any app."""
