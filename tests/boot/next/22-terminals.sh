# terminals through ssh with their size, and connections that are cut
says '^31 97' on_a_terminal alice ie-container run --rm -it busybox stty size
says '^31 97' on_a_terminal alice ie-container exec -it box stty size

# cut NUMBER OPTIONS WORDS…: an ssh of its own that is killed, as when a laptop is closed, while `sleep NUMBER` runs inside.
cut() {
    local number=$1 options=$2
    shift 2
    # shellcheck disable=SC2086
    ssh $options "${ssh_options[@]}" -o ControlPath=none -p "$port" alice@127.0.0.1 "$* sleep $number" </dev/null >/dev/null 2>&1 &
    local client=$!
    within 120 says '^[1-9]' root "pgrep -fxc 'sleep $number'"
    kill -KILL $client
    wait $client 2>/dev/null || true
}
# An exec ends with its connection, with a terminal and without; a container goes on, whatever becomes of `run`.
cut 71001 -T 'ie-container exec box'
cut 71002 -T 'ie-container exec -i box'
cut 71003 -tt 'ie-container exec -it box'
cut 71004 -tt 'ie-container run -it --name cut busybox'
for number in 71001 71002 71003; do within 180 says '^0$' root "pgrep -fxc 'sleep $number' || true"; done
says '^[1-9]' root "pgrep -fxc 'sleep 71004'"
# And no client stays behind.
within 180 says '^0$' root "pgrep -u alice -xc ie-container || true"
alice ie-container rm -f cut
