"""A run's tasks on a Dask cluster, as processes compute them: client, members, pool, and worker, which runs on each of them.

The only door to dask and distributed. Not here: what a task is (runs.stacks), and when a cluster is used (runs.engines)."""
