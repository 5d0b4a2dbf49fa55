# shellcheck shell=bash
# What is said, and how: one line for each thing done, and for a failure what is wrong and what to do.

# In the journal a line that begins with <N> has that priority. The variable names the stream, which may not be ours (systemd.exec(5)).
say() {
    local priority=$1
    shift
    if [ -n "${JOURNAL_STREAM-}" ] && [ "$JOURNAL_STREAM" = "$(stat --dereference --format=%d:%i "/proc/$$/fd/2")" ]; then
        printf '<%s>%s\n' "$priority" "$*" >&2
    else
        printf '%s\n' "$*" >&2
    fi
}

info() { say 6 "$*"; }

warn() { say 4 "warning: $*"; }

# fatal WHAT REMEDY: nothing else is done.
fatal() {
    say 3 "error: $1"
    say 3 "  help: $2"
    exit 1
}

# run WHAT COMMAND…: a command that must succeed; what it says is shown if it does not.
run() {
    local what=$1 output
    shift
    if ! output=$("$@" </dev/null 2>&1); then
        [ -z "$output" ] || printf '%s\n' "$output" >&2
        fatal "could not $what: \`$*\` failed" "its own words are above"
    fi
}

# need PROGRAM PACKAGE: a program that the settings ask for.
need() {
    command -v "$1" >/dev/null ||
        fatal "$1 is not in this system, and the settings need it" "have $2 in the image"
}
