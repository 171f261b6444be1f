# an upgrade with people attached, then removal and purge
alice 'ie-container start box >/dev/null; ie-container exec box true'
rm -f "$work/keys" && mkfifo "$work/keys"
exec 5<>"$work/keys"
begin over terminal alice ie-container run -it --rm --name over busybox sh -c '"echo begun; until [ -e go ]; do sleep 1; done; exit 4"' <&5
begin wait alice ie-container wait box
printed over '^begun'
# The same programs under the next version.
root 'set -e
mkdir /root/next && cd /root/next
for deb in /root/new/*.deb; do
    dpkg-deb -R $deb tree
    version=$(sed -n "s/^Version: //p" tree/DEBIAN/control)
    sed -i "s/^Version: .*/Version: $version+next1/; s/(= $version)/(= $version+next1)/" tree/DEBIAN/control
    dpkg-deb --root-owner-group -Znone -b tree next-$(basename $deb) >/dev/null && rm -rf tree
done
cp -p /etc/ie-container/policy.toml /root/policy.before
DEBIAN_FRONTEND=noninteractive apt-get -q -y install ./next-*.deb
cmp /etc/ie-container/policy.toml /root/policy.before'
says '[+]next1$' root 'dpkg-query -W -f "\${Version}\n" ie-containerd'
silent root 'systemctl list-units --failed --plain --no-legend "ie-*"'
within 900 says 'Up .* box$' alice ie-container ps
printed over 'the connection is back'
alice touch go
comes_to over 4 '^begun'
exec 5>&-
alice ie-container stop -t 1 box >/dev/null
comes_to wait 0 '^1(37|43)$'

# Removed, nothing runs and the policy stays; a purge leaves what is the users'.
root 'DEBIAN_FRONTEND=noninteractive apt-get -q -y remove ie-containerd; test -e /etc/ie-container/policy.toml'
refuses '^inactive' root systemctl is-active ie-containerd.socket ie-containerd.service ie-mountd.service ie-engine.service
root 'DEBIAN_FRONTEND=noninteractive apt-get -q -y purge ie-containerd ie-container'
refuses 'No such file' root 'ls -d /etc/ie-container'
says '^from inside$' alice cat note
silent root 'find / -xdev \( -name "ie-container*" -o -name "ie-mountd*" -o -name "ie-wall*" \) -not -path "/root/*" -not -path "/proc/*" -not -path "/var/log/*" -not -path "/var/lib/*" -not -path "/sys/*"'
