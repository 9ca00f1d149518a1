"""The jobs: composes networks and store; the only door to the network, the clock, the environment and the screen.

Packages in import order, each importing only those before it: exchanges, terminal, scoring; workspace; prices, forecasting;
runs; analysis; cli. To follow one bar, read prices.ingest, runs.run, runs.backlog, forecasting.stack, forecasting.rows and
runs.record.
"""
