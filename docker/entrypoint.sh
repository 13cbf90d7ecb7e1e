#!/bin/sh
# The entry point of the image.
#
#   IMAGE [SETTINGS...]                   train: python -m adversarial_oversampling.train
#   IMAGE report [RUNS...]                write a report; without RUNS, of /multirun into /multirun/report
#   IMAGE dashboard ENTITY/PROJECT ...    save the views of a Weights & Biases project
#
# Training and reporting are refused where their output would be deleted with the container.
set -eu

fail() {
  echo "Error: $*" >&2
  exit 1
}

# Return 0 if a folder, or one above it, is mounted into the container.
mounted() {
  while read -r _ _ _ _ point _; do
    case $1/ in
      "$point"/*) return 0 ;;
    esac
  done < /proc/self/mountinfo
  return 1
}

# Exit with an error unless a folder, given as Hydra or the report would take it, is writable and on a mounted volume.
require_mounted() {
  case $1 in
    /*) folder=$1 ;;
    *) folder=${PWD%/}/$1 ;;
  esac
  if [ "${ADVERSARIAL_OVERSAMPLING_ALLOW_UNMOUNTED:-0}" != 1 ] && ! mounted "$folder"; then
    fail "nothing is mounted at $folder, so the results would be deleted with the container:" \
      "add -v \"\$PWD/multirun:$folder\" (or -e ADVERSARIAL_OVERSAMPLING_ALLOW_UNMOUNTED=1)."
  fi
  if [ -d "$folder" ] && [ ! -w "$folder" ]; then
    fail "$folder is not writable for user $(id -u): create the mounted folder before the container starts," \
      "and add --user \"\$(id -u):\$(id -g)\"."
  fi
}

case ${1:-} in
  report)
    shift
    output=/multirun previous=
    for argument; do
      case $argument in
        -h | --help) output= && break ;;
        --output=*) output=${argument#*=} ;;
      esac
      [ "$previous" != --output ] || output=$argument
      previous=$argument
    done
    [ -z "$output" ] || require_mounted "$output"
    if [ $# = 0 ]; then
      set -- /multirun --output /multirun/report
    fi
    exec python -m adversarial_oversampling.report "$@"
    ;;
  dashboard)
    shift
    exec python -m adversarial_oversampling.tracking.dashboard "$@"
    ;;
esac

# The folder of the runs; empty for commands that only print. Hydra's own settings override paths.output_dir.
output=/multirun folder='' sweep_folder='' sweep=
for argument; do
  case $argument in
    -h | --help | --hydra-help | --version | -c | --cfg | --cfg=* | -i | --info | --info=* | -sc | --shell-completion)
      exec python -m adversarial_oversampling.train "$@"
      ;;
    -m | --multirun | hydra.mode=MULTIRUN) sweep=1 ;;
    paths.output_dir=*) output=${argument#*=} ;;
    hydra.run.dir=*) folder=${argument#*=} ;;
    hydra.sweep.dir=*) sweep_folder=${argument#*=} ;;
  esac
done
[ -z "$sweep" ] || folder=$sweep_folder
require_mounted "${folder:-$output}"
exec python -m adversarial_oversampling.train "$@"
