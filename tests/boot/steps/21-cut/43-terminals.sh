# terminals through ssh with their size, and connections that are cut
# Keys that nobody presses: at the end of its keys a terminal is gone.
mkfifo "$work/keys"
exec 5<>"$work/keys"
# The size comes a moment after the start, as with Docker's client.
sized='sh -c "until [ -n \"\$(stty size 2>/dev/null)\" ]; do sleep 1; done; stty size"'
says '31 97' terminal alice "ie-container run --rm -it busybox $sized" <&5
says '31 97' terminal alice "ie-container exec -it box $sized" <&5

# lose NUMBER OPTION WORDS…: an ssh of its own is killed, as when a laptop is closed, while `sleep NUMBER` runs inside.
lose() {
    local number=$1 option=$2
    shift 2
    ssh "$option" "${ssh_options[@]}" -o ControlPath=none -p "$port" alice@127.0.0.1 "$* sleep $number" <&5 >"$work/lose.$number" 2>&1 &
    lost+=("$number:$!")
}
runs() { says '^[1-9]' root "pgrep -fxc 'sleep $1'"; }
runs_not() { refuses '^0$' root "pgrep -fxc 'sleep $1'"; }
lost=()
lose 71001 -T 'ie-container exec box'
lose 71002 -T 'ie-container exec -i box'
lose 71003 -tt 'ie-container exec -it box'
lose 71004 -tt 'ie-container run -it --name cut busybox'
for one in "${lost[@]}"; do
    within 900 runs "${one%:*}"
    kill -KILL "${one#*:}"
    wait "${one#*:}" 2>/dev/null || true
done
# An exec ends with its connection, with a terminal and without.
for number in 71001 71002 71003; do within 900 runs_not $number; done
# A container goes on, whatever becomes of `run`; and no client stays behind.
no_client() { refuses '^0$' root 'pgrep -u alice -xc ie-container'; }
within 900 no_client
runs 71004
alice ie-container rm -f cut >/dev/null
exec 5>&-
