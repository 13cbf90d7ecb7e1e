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

# Exit unless a folder is writable and outlives the container.
check() {
  if [ "${ADVERSARIAL_OVERSAMPLING_ALLOW_UNMOUNTED:-0}" != 1 ] && ! mounted "$1"; then
    fail "nothing is mounted at $1, so the results would be deleted with the container:" \
      "add -v \"\$PWD/multirun:$1\" (or -e ADVERSARIAL_OVERSAMPLING_ALLOW_UNMOUNTED=1)."
  fi
  if [ -d "$1" ] && [ ! -w "$1" ]; then
    fail "$1 is not writable for user $(id -u): create the mounted folder before the container starts," \
      "and add --user \"\$(id -u):\$(id -g)\"."
  fi
}

case ${1:-} in
  report)
    shift
    output=/multirun
    for argument; do
      case $argument in
        -h | --help | --output | --output=*) output= ;;
      esac
    done
    [ -z "$output" ] || check "$output"
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

# The folder of the runs; empty for commands that only print.
output=/multirun
for argument; do
  case $argument in
    -h | --help | --hydra-help | --version | -c | --cfg | --cfg=* | -i | --info | --info=* | -sc | --shell-completion)
      output=
      break
      ;;
    paths.output_dir=/* | hydra.run.dir=/* | hydra.sweep.dir=/*) output=${argument#*=} ;;
  esac
done
[ -z "$output" ] || check "$output"
exec python -m adversarial_oversampling.train "$@"
