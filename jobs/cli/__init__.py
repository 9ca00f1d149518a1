"""The command line: commands by audience, options, exit codes, the generated reference page and the demo.

Not here: what a command does. Each one opens the home, calls one function of another package and prints its result.
"""

import gc


def main() -> None:
    """Run the command line. Garbage is collected from the moment its command is called: until then there is none to find."""
    gc.disable()
    from tickercast.jobs.cli.app import main as run

    run()
