# What a step says of what it sees; sourced. The first check that fails ends the step.

fail() {
    printf 'not so: %s\n' "$*" >&2
    exit 1
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
