# limits under control groups of version 2: memory, processes, processors
says '^cgroup2fs$' root stat -f -c %T /sys/fs/cgroup
# group FILE NAME: what the kernel keeps of alice's container in a file of its control group.
group() {
    root "cat /sys/fs/cgroup/ie.slice/ie-engine.slice/docker-\$(docker --host unix:///run/ie-engine/docker.sock inspect --format '{{.Id}}' ie-1000-$2).scope/$1"
}

# Who takes more memory is ended, and nobody else is.
alice 'ie-container run -d --name hog -m 64m --pids-limit 20 --cpus 0.5 busybox sh -c "
    head -c 200m /dev/zero | tail -c 190m >/dev/null; echo tail ended with \$?
    (n=0; while [ \$n -lt 40 ]; do n=\$((n+1)); sleep 100000 & done; echo not stopped)
    while true; do :; done"'
printed_by_hog() { says "$1" alice 'ie-container logs hog 2>&1'; }
within 900 printed_by_hog 'ended with 137'
says 'Memory cgroup out of memory' root 'journalctl -k -b -o cat --no-pager'
# A shell that may not fork any more says so, and ends.
within 900 printed_by_hog "can't fork"
hog=$(alice 'ie-container logs hog 2>&1')
[[ $hog != *'not stopped'* ]] || fail "forty processes where twenty may be: $hog"

# Half a processor is half a processor: by what the kernel counted, not by a clock of ours.
says '^50000 100000$' group cpu.max hog
throttled() { group cpu.stat hog | awk '/^nr_throttled/ { exit !($2 > 3) }'; }
within 900 throttled
alice 'ie-container rm -f hog' >/dev/null
says 'Up .* box$' alice ie-container ps
