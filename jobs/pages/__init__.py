"""What people see in a browser: facts of each page from the public views, charts as plain dicts, templates, a style, scripts.

The command `report` writes the pages as files, and `serve` answers with them. Every page is complete without a script.

Not here: HTTP (jobs.web), what is due or wrong (jobs.monitoring), or any change of the record.
"""
