# an upgrade with people attached, then removal and purge
alice 'ie-container start box >/dev/null; ie-container exec box true'
alice '(sleep 100; echo late) | ie-container run --rm -i --name over busybox cat' >"$work/over" 2>&1 &
over=$!
within 100 says over alice ie-container ps
alice ie-container wait box >"$work/waited" 2>&1 &
waited=$!
# The same programs under the next version.
root 'set -e
mkdir -p /root/next && cd /root/next && rm -rf *
for deb in /root/new/*.deb; do
    dpkg-deb -R $deb tree
    version=$(sed -n "s/^Version: //p" tree/DEBIAN/control)
    sed -i "s/^Version: .*/Version: $version+next1/; s/(= $version)/(= $version+next1)/" tree/DEBIAN/control
    dpkg-deb --root-owner-group -Znone -b tree next-$(basename $deb) >/dev/null && rm -rf tree
done
cp -p /etc/ie-container/policy.toml /root/policy.before
DEBIAN_FRONTEND=noninteractive apt-get -q -y install ./next-*.deb'
root 'cmp /etc/ie-container/policy.toml /root/policy.before'
says '^$' root 'systemctl list-units --failed --plain --no-legend "ie-*"'
within 60 says 'Up .* box' alice ie-container ps
alice ie-container stop -t 1 box >/dev/null
wait $waited || fail "wait over an upgrade: $(cat "$work/waited")"
wait $over || fail "run over an upgrade ended with $?: $(cat "$work/over")"
grep -q late "$work/over" || fail "run over an upgrade printed: $(cat "$work/over")"

root 'DEBIAN_FRONTEND=noninteractive apt-get -q -y remove ie-containerd'
refuses '^active' root systemctl is-active ie-containerd.service ie-mountd.service ie-engine.service ie-containerd.socket
root 'test -e /etc/ie-container/policy.toml'
root 'DEBIAN_FRONTEND=noninteractive apt-get -q -y purge ie-containerd ie-container'
refuses '.' root 'test -e /etc/ie-container'
says '^from inside$' alice cat note
says '^$' root 'find / -xdev \( -name "ie-container*" -o -name "ie-mountd*" -o -name "ie-wall*" \) -not -path "/root/*" -not -path "/proc/*" -not -path "/var/log/*" -not -path "/var/lib/*" -not -path "/sys/*"'
