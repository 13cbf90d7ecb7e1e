"""From a table on disk to the float32 rows that the players train on.

``sources`` reads and checks the tables, ``splits`` deals their rows out to training, validation and
test, and ``preprocessing`` imputes, scales and selects columns with what the training rows alone say.
"""
