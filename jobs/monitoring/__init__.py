"""What a user or a monitor is told of a home: what is fresh, late or wrong, metrics, and notices.

Everything here reads; notices alone write, to their own table. Nothing heavy is loaded: `status` and the idle daemon use it.
Not here: how a daily cycle is done (jobs.runs), or how status looks on a screen (jobs.cli).
"""
