"""Static HTML pages with charts, made from the record.

Not here: the queries that other commands show (jobs.analysis.answers)."""
