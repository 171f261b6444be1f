# limits under control groups of version 2: memory, processes, processors
says '^cgroup2fs$' root stat -f -c %T /sys/fs/cgroup
refuses '.' alice 'ie-container run --rm -m 64m busybox sh -c "head -c 200m /dev/zero | tail -c 190m >/dev/null"'
says 'fork|[Rr]esource|ended' alice 'ie-container run --rm --pids-limit 20 busybox sh -c "for i in \$(seq 40 2>/dev/null || echo 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25); do sleep 20 & done; echo ended" 2>&1 || true'
# Half a processor is half a processor: from what the kernel counted, and not from a clock of ours.
alice 'ie-container run -d --name half --cpus 0.5 busybox sh -c "while true; do :; done" >/dev/null'
says '^50000 100000$' root 'id=$(docker --host unix:///run/ie-engine/docker.sock ps -q --no-trunc --filter name=half); cat /sys/fs/cgroup/ie.slice/ie-engine.slice/docker-$id.scope/cpu.max'
within 60 root 'id=$(docker --host unix:///run/ie-engine/docker.sock ps -q --no-trunc --filter name=half); awk "/^nr_throttled/ {exit !(\$2 > 3)}" /sys/fs/cgroup/ie.slice/ie-engine.slice/docker-$id.scope/cpu.stat'
alice 'ie-container rm -f half'
