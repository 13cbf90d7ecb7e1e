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

# Return 0 if an absolute folder, or one above it, is mounted into the container.
mounted() {
  while read -r _ _ _ _ point _; do
    case ${1%/}/ in
      "$point"/*) return 0 ;;
    esac
  done < /proc/self/mountinfo
  return 1
}

# Exit with an error unless a folder is on a mounted volume and writable. A relative one is in the working directory.
require_mounted() {
  [ "${ADVERSARIAL_OVERSAMPLING_ALLOW_UNMOUNTED:-0}" != 1 ] || return 0
  folder=$(realpath --canonicalize-missing -- "$1")
  mounted "$folder" \
    || fail "nothing is mounted at $folder, so the results would be deleted with the container:" \
      "add -v \"\$PWD/multirun:$folder\" (or -e ADVERSARIAL_OVERSAMPLING_ALLOW_UNMOUNTED=1)."
  until [ -d "$folder" ]; do
    folder=$(dirname "$folder")
  done
  [ -w "$folder" ] \
    || fail "$folder is not writable for user $(id -u): create the mounted folder before the container starts," \
      "and add --user \"\$(id -u):\$(id -g)\"."
}

case ${1:-} in
  report)
    shift
    [ $# != 0 ] || set -- /multirun --output /multirun/report
    output='' summary='' runs='' previous=''
    for argument; do
      case $previous:$argument in
        *:-h | *:--help) exec python -m adversarial_oversampling.report "$@" ;;
        --output:*) output=$argument ;;
        *:--output=*) output=${argument#*=} ;;
        --summary:*) summary=$argument ;;
        *:--summary=*) summary=${argument#*=} ;;
        --wandb:* | *:-*) ;;
        *) runs=${runs:-$argument} ;;
      esac
      previous=$argument
    done
    [ -d "$runs" ] || runs=$(dirname "$runs") # the command's default: the folder report in the first of RUNS
    require_mounted "${output:-$runs/report}"
    [ -z "$summary" ] || require_mounted "$summary"
    exec python -m adversarial_oversampling.report "$@"
    ;;
  dashboard)
    shift
    exec python -m adversarial_oversampling.tracking.dashboard "$@"
    ;;
esac

# Hydra's own settings override paths.output_dir: hydra.run.dir for a single run, hydra.sweep.dir for a sweep.
output=multirun run_folder='' sweep_folder='' sweep=''
for argument; do
  case ${argument#++} in
    -h | --help | --hydra-help | --version | -c | --cfg | --cfg=* | -i | --info | --info=* | -sc | --shell-completion)
      exec python -m adversarial_oversampling.train "$@" # prints only
      ;;
    -m | --multirun | hydra.mode=MULTIRUN) sweep=1 ;;
    paths.output_dir=*) output=${argument#*=} ;;
    hydra.run.dir=*) run_folder=${argument#*=} ;;
    hydra.sweep.dir=*) sweep_folder=${argument#*=} ;;
  esac
done
folder=$run_folder
[ -z "$sweep" ] || folder=$sweep_folder
# shellcheck disable=SC2016   # an interpolation of Hydra, not of the shell
case $folder in
  '${paths.output_dir}'*) folder=$output${folder#*\}} ;;
esac
require_mounted "${folder:-$output}"
exec python -m adversarial_oversampling.train "$@"
