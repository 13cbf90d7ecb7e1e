"""From a table on disk to the float32 rows that the players train on.

`sources` reads and checks the tables. `splits` divides their rows into training, validation and test rows.
`preprocessing` imputes, scales and selects columns, fitted on the training rows alone. `resampling`
oversamples training rows, `laws` has the class laws, and `datamodule` serves batches.
"""
