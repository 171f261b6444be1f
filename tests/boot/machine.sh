# A virtual machine with a Debian that boots, and its users over ssh; sourced. It runs under emulation, as hosts of tests have no
# /dev/kvm for it, and with one processor: while one translates code that another one changes, as Linux changes its own, qemu 7.2
# now and then runs what was half changed, and the machine is gone. Needs $image (of tests/boot/image), $emulator (of
# tests/boot/emulator) and $work (a folder for the run).

port=
qemu=
boots=0
# Emulated code is dear: the machine does without what is not looked at, and has an older processor, whose few wide registers are
# soon saved. Its clock is the host's, and steady.
kernel=(root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet panic=-1 mitigations=off tsc=reliable rcupdate.rcu_expedited=1
    modprobe.blacklist=kvm_amd,kvm_intel,cfg80211,psmouse,pcspkr,parport_pc,sr_mod
    systemd.default_device_timeout_sec=900 systemd.service_watchdogs=no)
ssh_options=(-q -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o ConnectTimeout=60
    -o ServerAliveInterval=15 -o ServerAliveCountMax=20)

# The disk of this run; the image stays as it is.
machine_make() {
    install -m 0600 "$image/key" "$work/key"
    cp --sparse=always "$image/disk.raw" "$work/disk"
}

# The disk of the machine that runs, as it is at this moment, for another one. FROM is the folder of the one that runs.
machine_copy() {
    install -m 0600 "$1/key" "$work/key"
    kill -STOP "$qemu"
    cp --sparse=always "$1/disk" "$work/disk" || { kill -CONT "$qemu" && return 1; }
    kill -CONT "$qemu"
}

machine_start() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    ((++boots))
    "$emulator" -accel tcg,thread=single,tb-size=2000 -cpu Nehalem -smp 1 -m 3072 -nodefaults -display none -vga none \
        -serial "file:$work/console.$boots" -no-reboot -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "${kernel[*]}" \
        -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" \
        -netdev "user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=n0 \
        -device virtio-rng-pci >"$work/qemu.log" 2>&1 &
    qemu=$!
    worked=0
    local try
    for ((try = 0; try < 1200; try++)); do
        kill -0 $qemu 2>/dev/null || { cat "$work/qemu.log" >&2 && return 1; }
        if ssh "${ssh_options[@]}" -p "$port" root@127.0.0.1 true 2>/dev/null; then return 0; fi
        sleep 1
    done
    tail -30 "$work"/console.$boots >&2
    return 1
}

# A machine that reboots ends its qemu; the next start is the boot.
machine_wait_off() {
    local limit=$((SECONDS + 600))
    close_all
    while kill -0 "$qemu" 2>/dev/null; do
        [ $SECONDS -lt $limit ] || { echo 'the machine does not go down:' && tail -30 "$work/console.$boots" && return 1; } >&2
        sleep 1
    done
    qemu=
}

machine_reboot() {
    root systemctl reboot || true
    machine_wait_off
    machine_start
}

# The seconds of a processor that the machine has taken since it was started: unlike the time, they are the same beside others.
machine_worked() {
    local of
    read -ra of <"/proc/$qemu/stat"
    echo $(((of[13] + of[14]) / $(getconf CLK_TCK)))
}

machine_end() {
    [ -z "$qemu" ] || { kill "$qemu" 2>/dev/null && wait "$qemu"; } || true
    qemu=
}

# One connection for each login is kept open: a login costs a second here.
control() { echo "-o ControlMaster=auto -o ControlPath=$work/$1.%C -o ControlPersist=600"; }
close_all() { rm -f "$work"/*.?????????????* 2>/dev/null || true; }

# as LOGIN WORD…: the words are a command line of the login's shell. Stdin is passed on.
as() {
    local login=$1
    shift
    # shellcheck disable=SC2046
    ssh "${ssh_options[@]}" $(control "$login") -p "$port" "$login@127.0.0.1" "$@"
}
root() { as root "$@"; }
alice() { as alice "$@"; }
bob() { as bob "$@"; }
# engine WORD…: root asks the engine itself.
engine() { root "docker --host unix:///run/ie-engine/docker.sock $*"; }

# terminal LOGIN WORD…: with a terminal of 31 rows and 97 columns at this end, and a connection of its own. Stdin is its keys.
terminal() {
    local login=$1
    shift
    script -qec "stty rows 31 cols 97; ssh -tt ${ssh_options[*]} -o ControlPath=none -p $port $login@127.0.0.1 $(printf %q "$*")" \
        /dev/null
}

copy_in() { # FILE… FOLDER, as root
    local folder=${*: -1}
    # shellcheck disable=SC2046
    scp "${ssh_options[@]}" $(control root) -P "$port" "${@:1:$#-1}" "root@127.0.0.1:$folder"
}
