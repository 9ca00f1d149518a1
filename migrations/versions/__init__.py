"""One file a change, numbered in order."""
