"""See which real rows a generated row combines, in a table with categories, dates and missing cells."""

import numpy as np
import pandas as pd

from adversarial_oversampling import AdversarialOversampler

rng = np.random.default_rng(0)
customers = pd.DataFrame(
    {
        "age": rng.integers(18, 80, 400),
        "income": rng.lognormal(8, 1, 400).round(2),
        "city": rng.choice(["Bonn", "Lima", "Oslo"], 400),
        "member": rng.choice([True, False], 400),
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, 400), "D"),
    }
)
left = np.where(customers.age + rng.normal(0, 10, 400) > 75, "left", "stayed")
customers.loc[rng.random(400) < 0.1, "income"] = np.nan

sampler = AdversarialOversampler("do", max_epochs=30, random_state=0)
sampler.fit_resample(customers, left)
print(sampler.generated_.head(3))
# The real rows that the first generated row combines, the heaviest first.
origin = sampler.provenance_[sampler.provenance_.generated == 0].nlargest(3, "weight")
print(customers.iloc[origin.real].assign(weight=origin.weight.to_numpy()))
