"""The jobs: composes networks and store; the only door to the network, the clock, the environment and the screen."""
