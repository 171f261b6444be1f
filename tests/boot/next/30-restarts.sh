# each part is restarted while people are attached, copy and execute
attached() { alice 'ie-container run --rm -i --name held busybox sh -c "read x; echo got \$x; exit 7"' <"$work/keys" >"$work/held" 2>&1; }

for unit in ie-containerd ie-mountd ie-engine ie-engine-containerd ie-wall; do
    alice 'ie-container run -d --name kept busybox sh -c "trap \"exit 5\" TERM; while true; do sleep 1; done"' >/dev/null
    waiter="$work/waiter"
    alice 'ie-container wait kept' >"$waiter" 2>&1 &
    waiting=$!
    root "systemctl restart $unit"
    within 120 says 'kept' alice ie-container ps
    says '^up$' alice 'ie-container exec kept echo up'
    alice 'ie-container cp note kept:/tmp/note'
    alice 'ie-container stop -t 20 kept' >/dev/null
    wait $waiting || fail "wait over a restart of $unit: $(cat "$waiter")"
    grep -qx 5 "$waiter" || fail "wait over a restart of $unit printed: $(cat "$waiter")"
    alice 'ie-container rm kept' >/dev/null
    echo "$unit: restarted"
done
says '^$' root 'systemctl list-units --failed --plain --no-legend "ie-*"'

# A policy with an error in it is not taken, and says so; what held goes on.
root 'cp -p /etc/ie-container/policy.toml /root/policy.toml; echo "nonsense = [" >>/etc/ie-container/policy.toml'
refuses 'policy' root 'systemctl reload ie-containerd.service; code=$?; journalctl -b -n 5 -o cat -u ie-containerd; exit $code'
says '^uid=' alice ie-container run --rm busybox id
root 'cp -p /root/policy.toml /etc/ie-container/policy.toml && systemctl reload ie-containerd.service'

# A firewall that flushes everything: the wall comes back by itself, and the engine's own rules with a restart of it.
root 'nft flush ruleset'
within 180 says 'ie' root 'nft list ruleset'
root 'systemctl restart ie-engine'
within 60 alice 'ie-container run --rm -p 40090:80 busybox true'
