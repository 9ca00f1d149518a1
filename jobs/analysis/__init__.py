"""Reading the record: answers for the command line, explain, evaluate and its comparison models, and the report.

Not here: anything that a daily run needs."""
