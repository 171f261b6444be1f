# no unit failed, and the sandboxes are as tight as promised
silent root 'systemctl list-units --failed --plain --no-legend "ie-*"'
exposed() { root "systemd-analyze security --no-pager $1 | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p'"; }
gateway=$(exposed ie-containerd.service)
mountd=$(exposed ie-mountd.service)
wall=$(exposed ie-wall.service)
echo "exposure: gateway $gateway, mount helper $mountd, wall $wall"
awk "BEGIN { exit !($gateway <= 1.0 && $mountd <= 4.5) }" || fail "exposure is $gateway and $mountd, and may be 1.0 and 4.5"
silent root "journalctl -b --no-pager -p warning -o cat -u ie-containerd -u ie-mountd -u ie-wall"
