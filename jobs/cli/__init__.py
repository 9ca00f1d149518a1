"""The command line: commands by audience, options, exit codes, the generated reference page and the demo.

Not here: what a command does. Each one opens the home, calls one function of another package and prints its result.
"""

from jobs.cli.app import main

__all__ = ["main"]
