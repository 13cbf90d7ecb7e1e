"""Sweeps that survive: every job of a multirun plays in a child process, and its fate is written down."""
