"""Experiment tracking with Weights & Biases: runs, and saved views of a project."""
