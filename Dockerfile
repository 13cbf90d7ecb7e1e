# Trains on a GPU (or without one); docs/container.md tells how to build and run it.
# docker run --rm --gpus all -v "$PWD/multirun:/multirun" -v "$PWD/data:/data" IMAGE -m trainer=gpu dataset=pima mode=q,do
FROM python:3.11.15-slim-bookworm

LABEL org.opencontainers.image.title="adversarial-oversampling" \
      org.opencontainers.image.description="Adversarial oversampling of imbalanced tables: an experiment suite" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.15-slim-bookworm"

# LightGBM needs OpenMP's runtime. As the container's first process Python would not hear SIGTERM; tini passes it on.
# Debian keeps only the newest version of a package, so a pinned one could not be installed later on.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 tini \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# torch is most of the image and changes least. Which build of it: the files in docker/torch.
ARG TORCH=cu130
COPY docker/torch/${TORCH}.txt torch.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --requirement torch.txt

# What a run needs and nothing for developers: names from pyproject.toml, versions from requirements.txt.
# torch.txt holds torch where it is: another version in requirements.txt ends the build.
COPY pyproject.toml requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb")); \
wanted = project["project"]["dependencies"] + project["build-system"]["requires"]; \
extras = project["project"]["optional-dependencies"]; extras.pop("dev"); \
print(*wanted, *sum(extras.values(), []), sep="\n")' > wanted.txt \
    && pip install --requirement wanted.txt --constraint torch.txt --constraint requirements.txt \
    && pip check

# Any user may write here, so that `--user` works with any id.
RUN useradd --uid 1000 --home-dir /tmp runner \
    && mkdir /data /multirun \
    && chmod 1777 /data /multirun

COPY LICENSE README.md ./
COPY src src
COPY conf conf
RUN pip install --no-cache-dir --no-build-isolation --no-deps .

# A user id that /etc/passwd does not have has no home and no name: caches go to HOME, W&B's and matplotlib's too.
# Apptainer mounts its user's home over it, whose Python packages are not ours.
ENV HOME=/tmp \
    LOGNAME=runner \
    PYTHONNOUSERSITE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    ADVERSARIAL_OVERSAMPLING_DATA_DIR=/data \
    ADVERSARIAL_OVERSAMPLING_CACHE_DIR=/data/cache \
    WANDB_DIR=/multirun

USER 1000:1000
# `multirun`, where runs land, is relative.
WORKDIR /
VOLUME ["/data", "/multirun"]
ENTRYPOINT ["tini", "--", "python", "-m", "adversarial_oversampling.train"]
CMD ["dataset=haberman", "mode=do"]
