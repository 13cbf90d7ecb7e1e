"""Adversarial oversampling of imbalanced tables, after the CIKM 2021 paper.

Rows flow one way: config, rows, replicas, game, metrics, result. `train` is the entry point.
"""

import os

# MKL's products otherwise depend on how a matrix lies in memory, and so on its neighbours: a replica
# among others would differ from the solo run in the last bits. It costs no time.
os.environ.setdefault("MKL_CBWR", "AUTO")

__version__ = "0.1.0"
