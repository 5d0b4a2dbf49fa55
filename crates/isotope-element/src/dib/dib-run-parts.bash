#!/bin/bash
# dib-run-parts [--list] DIRECTORY: reads DIRECTORY/../environment.d, then runs the scripts of DIRECTORY by their numbers.
# Isotope's own. What it prints on standard error is what diskimage-builder's prints: tools parse it.
# Needs bash 4 and, of other programs, sort, date, mktemp and rm.
set -ue -o pipefail

__drp_say() { printf '%s %s\n' "$__drp_name" "$*" >&2; }

__drp_usage() {
    cat >&2 <<TEXT
Usage: $__drp_name [OPTION] scripts_directory
Option:
      --list  print names of all valid files

Examples:
      $__drp_name --list /opt/stack/os-config-refresh/configure.d/
      $__drp_name /opt/stack/os-config-refresh/configure.d/
TEXT
    exit 1
}

# Seconds since 1970, with a fraction.
__drp_now() { printf '%s\n' "${EPOCHREALTIME:-$(date +%s.%N)}"; }

# The regular files of directory $1 that are executable ($3 is x), are not (plain) or may be either (any), and whose names match
# $2 ($4 is matching) or do not (other).
__drp_files() {
    local path name mode match
    shopt -s nullglob dotglob
    for path in "$1"/*; do
        name=${path##*/} mode=plain match=other
        [[ -f $path ]] || continue
        [[ ! -x $path ]] || mode=x
        [[ ! $name =~ $2 ]] || match=matching
        if [[ $match == "$4" && ($3 == any || $mode == "$3") ]]; then
            printf '%s\n' "$name"
        fi
    done
}

# Reads the files of environment.d. In a function, as elements expect it: their `local` and `return` work.
__drp_environment() {
    local __drp_file __drp_files __drp_trace
    [[ -d $__drp_dir/../environment.d ]] || return 0
    mapfile -t __drp_files < <(__drp_files "$__drp_dir/../environment.d" '^[0-9A-Za-z_.-]+$' any matching | LC_ALL=C sort)
    for __drp_file in ${__drp_files[@]+"${__drp_files[@]}"}; do
        __drp_file=$__drp_dir/../environment.d/$__drp_file
        __drp_say "Sourcing environment file $__drp_file"
        __drp_trace=$(shopt -po xtrace || :)
        set -o xtrace
        # shellcheck source=/dev/null
        source "$__drp_file"
        $__drp_trace
    done
}

__drp_name=${0##*/}
(($# > 0)) || __drp_usage
__drp_list=
if [[ $1 == --list ]]; then
    __drp_list=yes
    shift
fi
__drp_dir=${1-}
if [[ ! -d $__drp_dir ]]; then
    __drp_say "Scripts directory [$__drp_dir] must exist and be a directory"
    __drp_usage
fi
__drp_regex=${RUN_PARTS_REGEX:-^[0-9A-Za-z_-]+$}
mapfile -t __drp_scripts < <(__drp_files "$__drp_dir" "$__drp_regex" x matching | LC_ALL=C sort -n)

if [[ -n $__drp_list ]]; then
    for __drp_script in ${__drp_scripts[@]+"${__drp_scripts[@]}"}; do
        printf '%s\n' "$__drp_dir/$__drp_script"
    done
    exit 0
fi

if ((${DIB_DEBUG_TRACE:-0} > 0)); then
    mapfile -t __drp_ignored < <(__drp_files "$__drp_dir" '' plain matching)
    ((${#__drp_ignored[@]} == 0)) || __drp_say "Ignoring non-executable files: ${__drp_ignored[*]}"
    mapfile -t __drp_ignored < <(__drp_files "$__drp_dir" "$__drp_regex" x other)
    ((${#__drp_ignored[@]} == 0)) || __drp_say "Ignoring non-conforming filenames: ${__drp_ignored[*]}"
fi

__drp_times=$(mktemp "${TMPDIR:-/tmp}/dib-run-parts.XXXXXXXXXX")
trap 'rm -f "$__drp_times"' EXIT

# In a shell of its own: what the environment's files set must reach the scripts, and nothing else.
(
    __drp_environment
    for __drp_script in ${__drp_scripts[@]+"${__drp_scripts[@]}"}; do
        __drp_say "Running $__drp_dir/$__drp_script"
        __drp_start=$(__drp_now)
        "$__drp_dir/$__drp_script"
        printf '%s %s %s\n' "$__drp_start" "$(__drp_now)" "$__drp_script" >>"$__drp_times"
        __drp_say "$__drp_script completed"
    done
)

__drp_say '----------------------- PROFILING -----------------------'
__drp_say ''
__drp_target=${__drp_dir%"${__drp_dir##*[!/]}"}
__drp_say "Target: ${__drp_target##*/}"
__drp_say ''
__drp_say "$(printf '%-40s %9s' Script Seconds)"
__drp_say "$(printf '%-40s %9s' --------------------------------------- ----------)"
__drp_say ''
while read -r __drp_start __drp_stop __drp_script; do
    # Whole microseconds: bash counts no fractions. Nanoseconds of date lose their last three digits.
    __drp_start=${__drp_start/[.,]/} __drp_stop=${__drp_stop/[.,]/}
    __drp_used=$((10#${__drp_stop:0:16} - 10#${__drp_start:0:16}))
    __drp_say "$(LC_ALL=C printf '%-40s %10s' "$__drp_script" "$((__drp_used / 1000000)).$(printf %03d $((__drp_used % 1000000 / 1000)))")"
done < <(LC_ALL=C sort -k3 "$__drp_times")
__drp_say ''
__drp_say '--------------------- END PROFILING ---------------------'
