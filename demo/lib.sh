# A private place with users, programs and perhaps an engine: what demo/up, demo/down and benches/ share.
# Sourced with $place and $first_id, the first of 65536 ids for containers, set; everything made is called after it and written down, so that it can be taken away again.

lib=/var/lib/$place
run=/run/$place
bin=$lib/bin
made=$lib/made
gateway_login=ie-container
engine=$run/docker.sock
engine_login=$place-ids
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=$PATH:/usr/sbin:/sbin

bold='' cyan='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' cyan=$'\033[36m' plain=$'\033[0m'; fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
die() { printf '%s: %s\n' "$place" "$*" >&2 && exit 1; }

need_root() { [ "$(id -u)" = 0 ] || exec sudo "$0" "$@"; }

# Something that was made here and will be taken away.
record() { grep -qxF "$*" "$made" 2>/dev/null || echo "$*" >>"$made"; }
recorded() { grep -qxF "$*" "$made" 2>/dev/null; }
recorded_of() { sed -n "s/^$1 //p" "$made" 2>/dev/null || true; }

make_place() {
    install -d -m 0755 "$lib" "$lib/log" "$lib/home" "$bin" "$run" "$run/mountd"
    touch "$made"
}

# The account is written down before it is made: a script that is interrupted leaves nothing unknown behind.
make_user() {
    local login=$1 home=$lib/home/$1
    if ! id "$login" >/dev/null 2>&1; then
        record user "$login"
        useradd --no-create-home --home-dir "$home" --shell /bin/bash --user-group "$login"
    elif ! recorded user "$login"; then
        die "there is a user $login on this machine already, and it is not the demo's"
    fi
    install -d -m 0700 -o "$login" -g "$login" "$home"
    # As the user: from the second time on, what is in the home is the user's to say.
    printf 'export PATH=%s:$PATH\nexport IE_CONTAINER_SOCKET=%s\nexport LANG=C.UTF-8\n' "$bin" "$run/gateway/user.sock" |
        runuser -u "$login" -- tee "$home/.profile" >/dev/null
}

make_gateway_user() {
    id "$gateway_login" >/dev/null 2>&1 && return
    record user "$gateway_login"
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --user-group "$gateway_login"
}

docker() { /usr/bin/docker --host "unix://$engine" "$@"; }

# A system user with ranges of subordinate ids above those that `useradd` hands out: whose the containers' ids are.
make_engine_user() {
    local range=$first_id-$((first_id + 65535))
    if ! id "$engine_login" >/dev/null 2>&1; then
        record user "$engine_login"
        useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$engine_login"
    fi
    # Each for itself: whoever was interrupted may have made the account and one of the two.
    grep -q "^$engine_login:" /etc/subuid || usermod --add-subuids "$range" "$engine_login"
    grep -q "^$engine_login:" /etc/subgid || usermod --add-subgids "$range" "$engine_login"
}

# packaging/engine with the places of here, with control groups as they are without systemd, and with no more open files
# than there are here.
configure_engine() {
    local files
    files=$(ulimit -Hn)
    if [ "$files" = unlimited ] || [ "$files" -gt 65536 ]; then files=65536; fi
    sed -e "s|/run/ie-engine/docker.sock|$engine|; s|/var/lib/ie-engine/docker|$lib/engine|; s|/run/ie-engine|$run|" \
        -e "s|\"userns-remap\": \"ie-engine\"|\"userns-remap\": \"$engine_login\"|" \
        -e "s|\"group\": \"ie-engine\"|\"group\": \"$place\"|" \
        -e "s|native.cgroupdriver=systemd|native.cgroupdriver=cgroupfs|; s|ie-engine.slice|/$place|; s|65536|$files|g" \
        "$root/packaging/engine/daemon.json" >"$lib/daemon.json"
    # What is measured against has nothing in front of runc.
    if [ -n "${bare:-}" ]; then sed -i "s|^{|{ \"runtimes\": { \"$bare\": { \"path\": \"/usr/sbin/runc\" } },|" "$lib/daemon.json"; fi
    sed -e "s|/var/lib/ie-engine|$lib|; s|/run/ie-engine|$run|" "$root/packaging/engine/containerd.toml" \
        >"$lib/containerd.toml"
}

# ie-runc where the engine finds it as runc, with the places of here; beside it the one shim that containerd shall find.
configure_runtime() {
    install -d -m 0755 "$lib/runtime" "$lib/containerd.own"
    install -m 0755 -t "$lib/containerd.own" /usr/bin/containerd
    ln -sf /usr/bin/containerd-shim-runc-v2 "$lib/runtime/containerd-shim-runc-v2"
    install -m 0755 "$root/target/release/static/ie-runc" "$lib/runtime/runc"
    sed -e "s|/var/lib/ie-engine/docker|$lib/engine|; s|ie-engine.slice|/$place|; s|\"ie-engine\"|\"$engine_login\"|" \
        -e "s|/run/ie-engine/docker.sock|$engine|; s|/run/ie-mountd|$run/mountd|; s|/var/lib/ie-container\"|$lib/state\"|; s|@PREFIX@.*ie-copy|$bin/ie-copy|" \
        "$root/packaging/engine/runtime.toml" >"$lib/runtime/runtime.toml"
}

# An engine of its own, with a network namespace too, so that none of its rules, bridges and routes is the host's.
start_engine() {
    docker version >/dev/null 2>&1 && return
    make_engine_user
    getent group "$place" >/dev/null || groupadd --system "$place"
    record group "$place"
    ip netns list | grep -qw "^$place" || ip netns add "$place"
    record netns "$place"
    ip -netns "$place" link set lo up
    configure_engine
    configure_runtime
    setsid env PATH="$lib/runtime" "$lib/containerd.own/containerd" --config "$lib/containerd.toml" >>"$lib/log/containerd" 2>&1 </dev/null &
    echo $! >"$run/containerd.pid"
    for _ in $(seq 300); do [ -S "$run/containerd/containerd.sock" ] && break; sleep 0.1; done
    # Not `ip netns exec`: that mounts a /sys of its own, in which the control groups are missing.
    setsid env PATH="$lib/runtime:$PATH" nsenter --net="/run/netns/$place" dockerd --config-file "$lib/daemon.json" \
        >>"$lib/log/dockerd" 2>&1 </dev/null &
    for _ in $(seq 300); do
        docker version >/dev/null 2>&1 && return
        sleep 0.1
    done
    tail -n 20 "$lib/log/dockerd" >&2
    die "the private engine does not come up, see $lib/log/dockerd"
}

# The wall's rules belong where the engine makes its networks.
in_engines_network() { nsenter --net="/run/netns/$place" "$@"; }

# An image out of Debian's static busybox, without any registry.
make_image() {
    local name=$1 tree
    docker image inspect "$name" >/dev/null 2>&1 && return
    tree=$(mktemp -d)
    install -d -m 0755 "$tree" "$tree/bin" "$tree/etc"
    install -d -m 1777 "$tree/tmp"
    cp /bin/busybox "$tree/bin/busybox"
    /bin/busybox --list | grep -vx busybox | while read -r applet; do ln "$tree/bin/busybox" "$tree/bin/$applet"; done
    record image "$name"
    tar --numeric-owner --owner=0 --group=0 -C "$tree" -c . | docker import --change 'CMD ["sh"]' - "$name" >/dev/null
    rm -rf "$tree"
}

# Users must be able to execute the client, and nobody but root to change it.
install_programs() {
    install -m 0755 -t "$bin" "$root"/target/release/ie-container "$root"/target/release/ie-containerd \
        "$root"/target/release/ie-mountd "$root"/target/release/static/ie-copy
}

# The daemons get the privileges that packaging/systemd gives them.
start_daemons() {
    start ie-mountd "$run/mountd/mountd.sock" setpriv --no-new-privs --inh-caps=-all \
        --bounding-set=-all,+sys_admin,+setuid,+setgid -- \
        "$bin/ie-mountd" --policy "$lib/policy.toml" --runtime-dir "$run/mountd" --gateway-user "$gateway_login" \
        --state-dir "$lib/mountd"
    in_engines_network "$root/packaging/ie-wall" up "$run/wall"
    start_gateway
}

start_gateway() {
    local uid gid
    uid=$(id -u "$gateway_login") gid=$(id -g "$gateway_login")
    install -d -m 0755 -o "$uid" -g "$gid" "$run/gateway"
    install -d -m 0700 -o "$uid" -g "$gid" "$lib/state"
    # shellcheck disable=SC2086 # words
    start ie-containerd "$run/gateway/user.sock" ${around_gateway:-} setpriv --reuid="$uid" --regid="$gid" \
        --groups="$(stat -Lc %g "$engine")" --no-new-privs --inh-caps=-all --bounding-set=-all -- \
        "$bin/ie-containerd" --policy "$lib/policy.toml" --runtime-dir "$run/gateway" --state-dir "$lib/state" \
        --mountd-dir "$run/mountd" --copy-helper "$bin/ie-copy" \
        --wall "$run/wall"
}

start() {
    local name=$1 socket=$2 pid
    shift 2
    setsid "$@" >>"$lib/log/$name" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$run/$name.pid"
    for _ in $(seq 200); do
        [ -d "/proc/$pid" ] || break
        connects "$socket" && return
        sleep 0.1
    done
    tail -n 20 "$lib/log/$name" >&2
    die "$name does not come up, see $lib/log/$name"
}

# Whether somebody listens, whatever is answered.
connects() {
    local code=0
    curl -s -o /dev/null --max-time 1 --unix-socket "$1" http://d/_ping || code=$?
    [ $code != 7 ]
}

# Ends a program of ours: by the number it left, and only while that number is still this program.
end() {
    local name=$1 program=$2 pid
    pid=$(cat "$run/$name.pid" 2>/dev/null) || return 0
    if [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$program" ]; then
        kill "$pid" && for _ in $(seq 200); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
    fi
    rm -f "$run/$name.pid"
}

stop_daemons() {
    end ie-containerd "$bin/ie-containerd"
    end ie-mountd "$bin/ie-mountd"
    # Who holds the wall up is left behind otherwise.
    [ ! -e "$run/wall" ] || in_engines_network "$root/packaging/ie-wall" down "$run/wall" || true
}

# `as LOGIN COMMAND`: as that user would have it after logging in. The command is shown before it is done.
as() {
    printf '%s%s$%s %s\n' "$cyan" "$1" "$plain" "$2"
    quietly_as "$1" "$2" 2>&1
}

quietly_as() {
    (cd "$lib/home/$1" && exec setpriv --reuid="$1" --regid="$1" --init-groups --inh-caps=-all --reset-env -- \
        /bin/bash -lc "$2")
}

# The same, for a command that must end with this code.
as_expecting() {
    local wanted=$1 code=0
    as "$2" "$3" || code=$?
    [ "$code" = "$wanted" ] || die "that ended with code $code, and should have with $wanted"
}

remove_containers() {
    local login uid found
    for login in $(recorded_of user); do
        uid=$(id -u "$login" 2>/dev/null) || continue
        found=$(docker ps -aq --filter "name=^/ie-$uid-" 2>/dev/null) || continue
        # shellcheck disable=SC2086 # one word an id
        [ -z "$found" ] || docker rm -fv $found >/dev/null
    done
}

remove_running() {
    local found
    found=$(docker ps -q 2>/dev/null) || return 0
    # shellcheck disable=SC2086 # one word an id
    [ -z "$found" ] || docker rm -fv $found >/dev/null 2>&1 || true
}

mounts_below() { awk -v lib="$lib/" -v run="$run/" 'index($5, lib) == 1 || index($5, run) == 1 {print $5}' /proc/self/mountinfo; }

# An account is not removed while somebody works with it: that is for whoever it is to end.
nobody_works() {
    local login found
    for login in $(recorded_of user); do
        found=$(ps -o pid=,args= -u "$login" 2>/dev/null) || continue
        die "$login still runs these; end them, and take the demo down again:"$'\n'"$found"
    done
}

# What does not run goes with the engine's data, at once: thousands of containers would take minutes one by one.
take_down() {
    [ -d "$lib" ] || return 0
    local name
    remove_running
    stop_daemons
    nobody_works
    stop_engine
    # Stages and what a killed engine may have left.
    mounts_below | sort -r | while read -r point; do umount -l "$point"; done
    for name in $(recorded_of netns); do ip netns delete "$name" 2>/dev/null || true; done
    for name in $(recorded_of user); do
        if id "$name" >/dev/null 2>&1; then userdel "$name" || die "the user $name is left"; fi
    done
    for name in $(recorded_of group); do groupdel "$name" 2>/dev/null || true; done
    if [ -n "$(mounts_below)" ]; then die "something is still mounted below $lib or $run"; fi
    rm -rf --one-file-system "$run" "$lib"
}

stop_engine() {
    local pid
    pid=$(cat "$run/docker.pid" 2>/dev/null) || return 0
    grep -qF "$lib/daemon.json" "/proc/$pid/cmdline" 2>/dev/null || return 0
    remove_running
    kill "$pid"
    for _ in $(seq 300); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
    end containerd "$lib/containerd.own/containerd"
    rmdir /sys/fs/cgroup/*/"$place" /sys/fs/cgroup/"$place" 2>/dev/null || true
}
