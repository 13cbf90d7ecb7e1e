"""Tables, figures and statistics of finished runs: `python -m adversarial_oversampling.report`."""
