"""One worker: its cluster is watched, its hands are threads, and one of them at a time works at the desk."""
