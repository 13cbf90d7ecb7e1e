#!/usr/bin/env bash
# For maintainers: builds the Dockerfile without Docker, runs the image and checks what it does. Ten minutes.
#
#   docker/try_build.sh              # as root, on Debian: apt-get install buildah debootstrap
#   TORCH=any docker/try_build.sh    # another build of torch: the name of a file in docker/torch
#   KEEP=1 docker/try_build.sh       # leaves the work folder: logs, runs, the container's file system
#
# The base image is not pulled: Debian's own Python of the same minor version stands in for it. It is an older patch
# release, and its packages go to dist-packages. pip's index, its certificates and Debian's mirror are this machine's.
# Work goes to a folder under TMPDIR: 13 GB for cu130, 5 GB without CUDA; twice that where the kernel has no overlayfs.
set -euo pipefail
cd "$(dirname "$0")/.."

TORCH=${TORCH:-cu130}
work=$(mktemp --directory)
image=localhost/adversarial-oversampling:trial
base=$(sed -n 's/^FROM //p' Dockerfile)
suite=${base##*-}

# Caches of RUN --mount and copies of the context go here too.
mkdir "$work/tmp"
export TMPDIR=$work/tmp BUILDAH_ISOLATION=chroot

tool() { buildah --root "$work/storage" --runroot "$work/run" "$@"; }
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
clean_up() {
  if [ -n "${KEEP:-}" ]; then
    echo "Left in $work"
  else
    tool umount --all > "$work/umount.log" 2>&1 || true
    if mountpoint --quiet "$work/storage/overlay"; then umount "$work/storage/overlay"; fi
    rm --recursive --force --one-file-system "$work"
  fi
}
trap clean_up EXIT

# pip's setting on this machine, from its files or the environment.
pip_setting() { python3 -m pip config list | sed -n "s/^\(:env:\|global\)\.$1='\(.*\)'\$/\2/p" | head -n 1; }

# Runs a command as `docker run` would: first process of its own process table, with the image's environment, the
# volumes mounted, a new /tmp, Docker's 64 MB of shared memory, and the rest read-only. First argument: user and group.
enter() {
  # shellcheck disable=SC2016   # for the inner shell
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$0 volumes=$1 ids=$2
    shift 2
    mount --bind "$root" "$root"
    mount --options remount,bind,ro "$root"
    mount -t tmpfs -o mode=1777 tmp "$root/tmp"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o size=64m,mode=1777 shm "$root/dev/shm"
    mount --bind "$volumes/data" "$root/data"
    mount --bind "$volumes/multirun" "$root/multirun"
    exec chroot --userspec="$ids" "$root" "$@"
  ' "$root" "$volumes" "$1" env --ignore-environment "${environment[@]}" "${@:2}"
}

new_volumes() { # of a user
  volumes=$work/volumes-$1
  mkdir --parents "$volumes/data" "$volumes/multirun"
  chown "$1:$1" "$volumes/data" "$volumes/multirun"
}

results() { find "$volumes/multirun" -name result.json -user "$1" | wc -l; }

say "A stand-in for $base"
# shellcheck disable=SC2016   # for apt-get
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2> /dev/null \
  | awk -v suite="$suite" '$2 == suite { print $1; exit }')
container=$(tool from scratch)
root=$(tool mount "$container")
debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip "$suite" "$root" \
  "${DEBIAN_MIRROR:-${mirror:-http://deb.debian.org/debian}}" > "$work/debootstrap.log" \
  || { tail "$work/debootstrap.log"; fail debootstrap; }
ln --symbolic /usr/bin/python3 "$root/usr/local/bin/python"
rm --force "$root"/usr/lib/python3*/EXTERNALLY-MANAGED "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
# As in Debian's images: apt keeps no caches.
echo 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";' > "$root/etc/apt/apt.conf.d/no-caches"
touch "$root/etc/pip.conf"
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tool config --env "PATH=$path" --cmd python3 "$container"
tool umount "$container" > /dev/null
tool commit --quiet --rm "$container" "docker.io/library/$base" > /dev/null

say "The image, TORCH=$TORCH"
# What pip reads here it reads in the build; nothing of it stays in the image.
mounts=(--volume "$work/pip.conf:/etc/pip.conf:ro")
echo "[global]" > "$work/pip.conf"
for name in index-url extra-index-url find-links trusted-host; do
  value=$(pip_setting "$name")
  case $name=$value in
    *= | extra-index-url=file:*) continue ;;
    find-links=/*) mounts+=(--volume "$value:$value:ro") ;;
  esac
  echo "$name = $value" >> "$work/pip.conf"
done
certificates=$(pip_setting cert)
if [ -n "$certificates" ]; then
  mounts+=(--volume "$certificates:/etc/ssl/certs/ca-certificates.crt:ro")
fi
tool build --pull-never --build-arg "TORCH=$TORCH" "${mounts[@]}" --tag "$image" . \
  > "$work/build.log" 2>&1 || { tail --lines 40 "$work/build.log"; fail "the build"; }
tool images "$image"
config() { tool inspect --type image --format "{{range .OCIv1.Config.$1}}{{println .}}{{end}}" "$image" | sed '/^$/d'; }
mapfile -t environment < <(config Env)
mapfile -t entrypoint < <(config Entrypoint)
mapfile -t default < <(config Cmd)
user=$(tool inspect --type image --format '{{.OCIv1.Config.User}}' "$image")
root=$(tool mount "$(tool from --pull-never "$image")")

say "What is inside"
new_volumes 1000
enter "$user" id
enter "$user" python --version
enter "$user" python -c 'import torch; print("torch", torch.__version__, "for CUDA", torch.version.cuda)'
enter "$user" python -m pip freeze --exclude adversarial-oversampling > "$work/freeze.txt"
# Every package as pinned; torch's own version may have a suffix.
unpinned=$(sed 's/+.*//' "$work/freeze.txt" | sort | comm -23 - <(sed 's/===/==/' requirements.txt docker/torch/*.txt | sort))
[ -z "$unpinned" ] || fail "not pinned: $unpinned"
echo "$(wc -l < "$work/freeze.txt") packages, all as pinned"
enter "$user" sh -c '! command -v cc && ! command -v gcc' || fail "a compiler is in the image"

say "The default command, as the image's user"
enter "$user" "${entrypoint[@]}" "${default[@]}" debug=fast logger=wandb
[ "$(results 1000)" = 1 ] || fail "no result.json that belongs to user 1000"
find "$volumes/multirun" -name 'run-*.wandb' | grep . || fail "W&B's offline run is not among the outputs"

say "A sweep, two jobs at once, as a user that the image does not know"
new_volumes 4711
enter 4711:4711 "${entrypoint[@]}" -m launcher=joblib hydra.launcher.n_jobs=2 debug=fast \
  dataset=haberman,yeast mode=q,do trainer.enable_progress_bar=false
[ "$(results 4711)" = 4 ] || fail "not four results of user 4711"
enter 4711:4711 python -m adversarial_oversampling.report /multirun --output /multirun/report
[ -s "$volumes/multirun/report/index.html" ] || fail "no report"

say "Stopped, then started again"
train=("${entrypoint[@]}" dataset=haberman mode=do trainer.max_epochs=400 trainer.checkpoint_every=1)
enter 4711:4711 "${train[@]}" > "$work/stopped.log" 2>&1 &
outer=$!
until find "$volumes/multirun" -name '*.ckpt' | grep --quiet .; do
  kill -0 $outer 2> /dev/null || fail "it ended by itself: $(tail "$work/stopped.log")"
  sleep 0.5
done
# What `docker stop` signals: the container's first process, a child of unshare, a child of this shell's copy.
kill -TERM "$(pgrep --parent "$(pgrep --parent $outer)")"
status=0
wait $outer || status=$?
[ $status = 143 ] || fail "exit code $status after SIGTERM, not 143"
echo "SIGTERM: exit code $status"
enter 4711:4711 "${train[@]}" > "$work/resumed.log" 2>&1
grep "Going on from" "$work/resumed.log" || fail "it did not go on from its checkpoint"
[ "$(results 4711)" = 5 ] || fail "no result after the second start"

say "All is well"
