# Train on a table of your own, predict rows that arrive later, and generate more rows of a class.
set -e
python -m adversarial_oversampling.train dataset=table dataset.path=customers.csv dataset.target=left mode=do \
  replicas=3 trainer.max_epochs=20 paths.output_dir=runs trainer.enable_progress_bar=false
RUN=$(dirname runs/customers/*/result.json)
python -m adversarial_oversampling.predict "$RUN" new_customers.csv --output predictions.csv
python -m adversarial_oversampling.generate "$RUN" --class yes --rows 100 --output more_rows.csv
