#!/usr/bin/env bash
# For maintainers: builds the Dockerfile without Docker, runs the image and checks it. Takes ten minutes.
#
#   docker/try_build.sh              # as root, on Debian: apt-get install buildah debootstrap
#   TORCH=any docker/try_build.sh    # another build of torch: the name of a file in docker/torch
#   KEEP=1 docker/try_build.sh       # keep the work folder: logs, runs, the container's file system
#
# The base image is not pulled: Debian's own Python of the same minor version stands in for it. That is an older patch
# release, and its packages go to dist-packages. pip's index, its certificates and Debian's mirror are this machine's.
# The work folder is made under TMPDIR: 13 GB for cu130, 5 GB without CUDA; twice that without overlayfs in the kernel.
set -euo pipefail
cd "$(dirname "$0")/.."

TORCH=${TORCH:-cu130}
work=$(mktemp --directory)
image=localhost/adversarial-oversampling:trial
base=$(sed -n 's/^FROM //p' Dockerfile)
suite=${base##*-}

# Caches of RUN --mount and copies of the context are written here too.
mkdir "$work/tmp"
export TMPDIR=$work/tmp BUILDAH_ISOLATION=chroot

tool() { buildah --root "$work/storage" --runroot "$work/run" "$@"; }
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
clean_up() {
  if [ -n "${KEEP:-}" ]; then
    echo "The work folder is $work"
  else
    tool umount --all > "$work/umount.log" 2>&1 || true
    if mountpoint --quiet "$work/storage/overlay"; then umount "$work/storage/overlay"; fi
    rm --recursive --force --one-file-system "$work"
  fi
}
trap clean_up EXIT

# Prints a setting of pip on this machine, from its files or the environment.
pip_setting() { python3 -m pip config list | sed -n "s/^\(:env:\|global\)\.$1='\(.*\)'\$/\2/p" | head -n 1; }

# Runs a command as `docker run` would: first process of its own process table, with the image's environment, the
# volumes mounted (none if $volumes is empty), a new /tmp, Docker's 64 MB of shared memory, and the rest read-only.
# The first argument is the user and group.
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
    if [ -n "$volumes" ]; then
      mount --bind "$volumes/data" "$root/data"
      mount --bind "$volumes/multirun" "$root/multirun"
    fi
    exec chroot --userspec="$ids" "$root" "$@"
  ' "$root" "$volumes" "$1" env --ignore-environment "${environment[@]}" "${@:2}"
}

# Makes the two mounted folders of a user.
new_volumes() {
  volumes=$work/volumes-$1
  mkdir --parents "$volumes/data" "$volumes/multirun"
  chown "$1:$1" "$volumes/data" "$volumes/multirun"
}

# Prints the number of results that belong to a user.
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
# pip cannot replace the packages that Debian installs along with it; the real base image has pip alone.
find "$root/usr/lib/python3/dist-packages" -mindepth 1 -maxdepth 1 ! -name pip ! -name 'pip-*' -exec rm --recursive {} +
# As in Debian's images: apt keeps no caches.
echo 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";' > "$root/etc/apt/apt.conf.d/no-caches"
touch "$root/etc/pip.conf"
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tool config --env "PATH=$path" --cmd python3 "$container"
tool umount "$container" > /dev/null
tool commit --quiet --rm "$container" "docker.io/library/$base" > /dev/null

say "The image, TORCH=$TORCH"
# The build uses the pip settings of this machine; none of them stays in the image.
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

say "Contents"
new_volumes 1000
enter "$user" id
enter "$user" python --version
enter "$user" python -c 'import torch; print("torch", torch.__version__, "for CUDA", torch.version.cuda)'
enter "$user" python -m pip freeze --exclude adversarial-oversampling > "$work/freeze.txt"
# Every package has its pinned version; that of torch may have a suffix.
unpinned=$(sed 's/+.*//' "$work/freeze.txt" | sort | comm -23 - <(sed 's/===/==/' requirements.txt docker/torch/*.txt | sort))
[ -z "$unpinned" ] || fail "not the pinned version: $unpinned"
echo "$(wc -l < "$work/freeze.txt") packages, all in their pinned versions"
enter "$user" sh -c '! command -v cc && ! command -v gcc' || fail "a compiler is in the image"

say "Nothing mounted"
mounted_volumes=$volumes volumes=
status=0
enter "$user" "${entrypoint[@]}" "${default[@]}" 2> "$work/unmounted.log" || status=$?
cat "$work/unmounted.log"
grep --quiet "nothing is mounted at /multirun" "$work/unmounted.log" || fail "training without -v is not refused"
[ $status = 1 ] || fail "exit code $status without -v, not 1"
enter "$user" "${entrypoint[@]}" --help > "$work/help.log" || fail "--help needs a mounted folder"
grep --quiet "dataset=haberman" "$work/help.log" || fail "--help prints no help"
enter "$user" "${entrypoint[@]}" --cfg job > /dev/null || fail "--cfg needs a mounted folder"
enter "$user" "${entrypoint[@]}" dashboard --help > /dev/null || fail "the dashboard's command does not start"
volumes=$mounted_volumes

say "The default command, as the image's user"
enter "$user" "${entrypoint[@]}" "${default[@]}" debug=fast logger=wandb
[ "$(results 1000)" = 1 ] || fail "no result.json that belongs to user 1000"
enter 4711:4711 "${entrypoint[@]}" "${default[@]}" 2> "$work/other_user.log" && fail "a folder of another user is accepted"
cat "$work/other_user.log"
grep --quiet "not writable for user 4711" "$work/other_user.log" || fail "the error names neither folder nor user"
find "$volumes/multirun" -name 'run-*.wandb' | grep . || fail "W&B's offline run is not among the outputs"

say "A sweep, two jobs at once, as a user that the image does not know"
new_volumes 4711
enter 4711:4711 "${entrypoint[@]}" -m launcher=joblib hydra.launcher.n_jobs=2 debug=fast \
  dataset=haberman,yeast mode=q,do trainer.enable_progress_bar=false
[ "$(results 4711)" = 4 ] || fail "not four results of user 4711"
enter 4711:4711 "${entrypoint[@]}" report
[ -s "$volumes/multirun/report/index.html" ] || fail "no report"

say "A search"
enter 4711:4711 "${entrypoint[@]}" -m hparams_search=q debug=fast dataset=haberman mode=q hydra.sweeper.n_trials=2 \
  paths.output_dir=/multirun/search trainer.enable_progress_bar=false > "$work/search.log" 2>&1 \
  || { tail "$work/search.log"; fail "the search"; }
[ "$(find "$volumes/multirun/search" -name result.json | wc -l)" -gt 0 ] || fail "the search has no result"
rm --recursive "$volumes/multirun/search"

say "Stopped and started again"
train=("${entrypoint[@]}" dataset=haberman mode=do trainer.max_epochs=400 trainer.checkpoint_seconds=0)
enter 4711:4711 "${train[@]}" > "$work/stopped.log" 2>&1 &
outer=$!
until find "$volumes/multirun" -name '*.ckpt' | grep --quiet .; do
  kill -0 $outer 2> /dev/null || fail "it ended without a signal: $(tail "$work/stopped.log")"
  sleep 0.5
done
# `docker stop` signals the container's first process: a child of unshare, which is a child of this shell's copy.
kill -TERM "$(pgrep --parent "$(pgrep --parent $outer)")"
status=0
wait $outer || status=$?
[ $status = 143 ] || fail "exit code $status after SIGTERM, not 143"
echo "SIGTERM: exit code $status"
enter 4711:4711 "${train[@]}" > "$work/resumed.log" 2>&1
grep "Resuming from" "$work/resumed.log" || fail "it did not resume from its checkpoint"
[ "$(results 4711)" = 5 ] || fail "no result after the second start"

say "All checks passed"
