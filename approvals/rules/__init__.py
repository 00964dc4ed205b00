"""What must hold before anything is written. Asked by the verbs, and by pages that say beforehand what a verb would answer."""
