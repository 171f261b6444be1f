# What the measurements share: medians of paired runs, and the same container on both sides.
# Sourced after demo/lib.sh, with $rounds and a directory $work, and with $uid and $home of whoever is measured set before a use.

median() { sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
row() { printf '%-44s %12s %12s %8s %8s\n' "$@"; }

# Leaves what it measured in $work/json.
timed() {
    hyperfine -N --style none --export-json "$work/json" "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2 && die 'a command failed'; }
}

# compare NAME GOAL RUNS OURS PLAIN [hyperfine options…]
compare() {
    local name=$1 goal=$2 runs=$3 ours=$4 theirs=$5 round
    shift 5
    : >"$work/ratios" >"$work/ours" >"$work/theirs"
    for ((round = 0; round < rounds; round++)); do
        timed --warmup 1 --runs "$runs" "$@" "$ours" "$theirs"
        jq -r '.results[0].median * 1000' "$work/json" >>"$work/ours"
        jq -r '.results[1].median * 1000' "$work/json" >>"$work/theirs"
        jq -r '.results[0].median / .results[1].median' "$work/json" >>"$work/ratios"
    done
    row "$name" "$(printf %.1f "$(median <"$work/ours")") ms" "$(printf %.1f "$(median <"$work/theirs")") ms" \
        "$(printf %.2f "$(median <"$work/ratios")")" "$goal"
}

resident() { awk '/^VmRSS/ {printf "%.1f MiB", $2 / 1024}' "/proc/$(cat "$run/ie-containerd.pid")/status"; }

# The settings and mounts of a container of ours, by the engine's name of it, as options of the plain client's.
same_settings() {
    inspect() { docker inspect --format "$2" "$1"; }
    tr -s ' \n' ' ' <<END
--cgroupns private --ipc private --network ie-$uid --user $(inspect "$1" '{{.Config.User}}') --init --cap-drop ALL
    --security-opt no-new-privileges --memory $(inspect "$1" '{{.HostConfig.Memory}}')
    --memory-swap $(inspect "$1" '{{.HostConfig.MemorySwap}}') --cpus 2
    --pids-limit $(inspect "$1" '{{.HostConfig.PidsLimit}}') --shm-size $(inspect "$1" '{{.HostConfig.ShmSize}}')
    --log-driver $(inspect "$1" '{{.HostConfig.LogConfig.Type}}')
    $(inspect "$1" '{{range $key, $value := .HostConfig.LogConfig.Config}}--log-opt {{$key}}={{$value}} {{end}}')
    $(inspect "$1" '{{range .Mounts}}--mount type=bind,source={{.Source}},target={{.Destination}}{{if not .RW}},readonly{{end}} {{end}}')
    --workdir $home
END
}
