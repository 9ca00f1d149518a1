"""The store: bars in Parquet, everything else in SQL. Knows rows, arrays and files, never a network."""
