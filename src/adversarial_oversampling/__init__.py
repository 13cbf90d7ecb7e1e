"""Adversarial oversampling of imbalanced tables, after the CIKM 2021 paper.

Data flows one way: configuration, rows, replicas, game, metrics, result. `train` is the entry point.
"""

import os

# Otherwise MKL's products depend on the alignment of a matrix in memory, and a replica among others would
# differ from the solo run in the last bits. The setting costs no time.
os.environ.setdefault("MKL_CBWR", "AUTO")

__version__ = "0.2.0"
