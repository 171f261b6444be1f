# What a step says of what it sees; sourced. The first check that fails ends the step.

fail() {
    printf 'not so: %s\n' "$*" >&2
    exit 1
}

# ended CODE: of a trap. A command that no check looked at has ended the step; this says which.
ended() {
    local at
    for ((at = 1; at < ${#FUNCNAME[@]}; at++)); do
        if [ "${FUNCNAME[at]}" = source ]; then
            local line=${BASH_LINENO[at - 1]} file=${BASH_SOURCE[at]}
            printf 'ended with %s: line %s of %s: %s\n' "$1" "$line" "${file##*/}" "$(sed -n "${line}p" "$file")" >&2
            return
        fi
    done
}

# silent COMMAND…: it ends with 0 and prints nothing.
silent() {
    local out
    out=$("$@" 2>&1) || fail "'$*' ended with $?: $out"
    [ -z "$out" ] || fail "'$*' was to print nothing: $out"
}

# says PATTERN COMMAND…: the command ends with 0, and prints what matches the extended expression.
says() {
    local pattern=$1 out
    shift
    out=$("$@" 2>&1) || fail "'$*' ended with $?: $out"
    grep -Eq -- "$pattern" <<<"$out" || fail "'$*' does not say '$pattern': $out"
}

# refuses PATTERN COMMAND…: it ends with another code, and prints what matches.
refuses() {
    local pattern=$1 out
    shift
    if out=$("$@" 2>&1); then fail "'$*' ended with 0: $out"; fi
    grep -Eq -- "$pattern" <<<"$out" || fail "'$*' does not say '$pattern': $out"
}

# within SECONDS COMMAND…: it comes to end with 0. The time is one that no machine needs, and not what is tested.
within() {
    local limit=$((SECONDS + $1)) out
    shift
    until out=$("$@" 2>&1); do
        [ $SECONDS -lt $limit ] || fail "'$*' did not come to be so: $out"
        sleep 1
    done
}

# begin NAME COMMAND…: in the background; what it prints is in $work/NAME.out, and its code, once it has ended, in $work/NAME.code.
begin() {
    local name=$1
    shift
    rm -f "$work/$name".{out,code}
    # Without the redirection what is in the background has no stdin.
    { code=0 && { "$@" >"$work/$name.out" 2>&1 || code=$?; } && echo $code >"$work/$name.code"; } <&0 &
}

# printed NAME PATTERN: what began so has printed what matches.
printed() {
    within 900 grep -Eq -- "$2" "$work/$1.out"
}

# comes_to NAME CODE PATTERN: what began so ends with this code, or one of `0|1`, and has printed what matches.
comes_to() {
    local name=$1 code=$2 pattern=$3
    within 900 test -s "$work/$name.code"
    grep -Eqx -- "$code" "$work/$name.code" && grep -Eq -- "$pattern" "$work/$name.out" ||
        fail "$name was to end with $code and say '$pattern', and ended with $(cat "$work/$name.code"): $(cat "$work/$name.out")"
}

# After another boot of the machine on which step 20 was: what ran says why it does not, and starts again.
ended_by_the_host() {
    within 900 alice ie-container ps
    silent root 'systemctl list-units --failed --plain --no-legend "ie-*"'
    # Beside the host's own engine, which starts at the same time.
    within 900 says '^active$' root systemctl is-active docker
    says 'Exited .*stopped: the host was restarted.* box$' alice ie-container ps -a
    says '^from inside$' alice cat note
    says '^from inside$' alice 'ie-container start box >/dev/null && ie-container exec box cat note'
}
