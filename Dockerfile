# A GPU job: docker run --gpus all -v "$PWD/multirun:/multirun" IMAGE trainer=gpu dataset=haberman mode=do
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    ADVERSARIAL_OVERSAMPLING_DATA_DIR=/data \
    ADVERSARIAL_OVERSAMPLING_CACHE_DIR=/data

# LightGBM needs OpenMP's runtime.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
# Dependencies change less often than the code: they are a layer of their own.
COPY requirements.txt ./
RUN pip install --requirement requirements.txt

COPY pyproject.toml README.md ./
COPY src src
COPY conf conf
RUN pip install --no-build-isolation --no-deps . \
    && useradd --create-home --uid 1000 runner \
    && mkdir -p /data /multirun \
    && chown runner /data /multirun

USER 1000
WORKDIR /
VOLUME ["/data", "/multirun"]
ENTRYPOINT ["python", "-m", "adversarial_oversampling.train"]
CMD ["dataset=haberman", "mode=do"]
