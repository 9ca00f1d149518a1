"""The screen: tables and other formats on stdout, the progress bar and log lines on stderr.

Not here: which rows a command shows, or its exit code (jobs.cli).
"""
