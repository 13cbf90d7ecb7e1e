# Trains on a GPU or without one, and writes reports. docs/container.md describes how to build and run it.
#
#   mkdir -p multirun data
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD/multirun:/multirun" -v "$PWD/data:/data" \
#     IMAGE -m trainer=gpu dataset=pima mode=q,do
FROM python:3.13.15-slim-trixie

LABEL org.opencontainers.image.title="adversarial-oversampling" \
      org.opencontainers.image.description="Adversarial oversampling of imbalanced tables: an experiment suite" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13.15-slim-trixie"

# LightGBM needs OpenMP's runtime. Python ignores SIGTERM as the container's first process; tini passes it on.
# Debian keeps only the newest version of a package, so a pinned version could not be installed later.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 tini \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
ARG PIP_CACHE_DIR=/var/cache/pip

# torch is most of the image and changes least. The files in docker/torch choose its build.
ARG TORCH=cu130
COPY docker/torch/${TORCH}.txt torch.txt
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --requirement torch.txt

# The dependencies and extras without those for developers: names from pyproject.toml, versions from
# requirements.txt. The build fails where torch.txt and requirements.txt name different versions of torch.
COPY pyproject.toml requirements.txt ./
RUN --mount=type=cache,target=/var/cache/pip \
    python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb")); \
wanted = project["project"]["dependencies"] + project["build-system"]["requires"]; \
extras = project["project"]["optional-dependencies"]; extras.pop("dev"); \
print(*wanted, *sum(extras.values(), []), sep="\n")' > wanted.txt \
    && pip install --requirement wanted.txt --constraint torch.txt --constraint requirements.txt \
    && pip check

# Every user may write here, so that `--user` works with any id.
RUN useradd --uid 1000 --home-dir /tmp runner \
    && mkdir /data /multirun \
    && chmod 1777 /data /multirun

COPY LICENSE README.md ./
COPY src src
COPY conf conf
RUN pip install --no-cache-dir --no-build-isolation --no-deps .
COPY --chmod=755 docker/entrypoint.sh /usr/local/bin/

# A user id without an entry in /etc/passwd has no home and no name. Caches go to HOME, also those of W&B and
# matplotlib. Apptainer mounts the home of its user, whose Python packages must not be imported.
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
# The default output folder, `multirun`, is relative.
WORKDIR /
# /multirun is no volume: Docker deletes an anonymous one with the container. The entry point asks for a mount.
VOLUME ["/data"]
ENTRYPOINT ["tini", "--", "entrypoint.sh"]
CMD ["dataset=haberman", "mode=do"]
