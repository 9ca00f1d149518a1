"""One folder on disk, the home: its settings, the config that they give, its locks, and opening it for writing.

Not here: what is stored in the home (storage), or what a run does with it (jobs.runs).
"""
