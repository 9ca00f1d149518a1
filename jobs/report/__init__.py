"""The report: static HTML pages with charts, from the public views alone, viewable without a network."""
