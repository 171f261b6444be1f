# homes on NFS with root squashed and closed to others, by an automounter; a server that goes and comes back
root 'set -e
mkdir -p /srv/nfs /nfs/home
echo "/srv/nfs 127.0.0.1(rw,root_squash,no_subtree_check,fsid=0)" >/etc/exports
systemctl start nfs-server
useradd --no-create-home --home-dir /nfs/home/carol --shell /bin/bash carol
install -d -m 0700 -o carol -g carol /srv/nfs/carol
install -d -m 0700 -o carol -g carol /srv/nfs/carol/.ssh
install -m 0600 -o carol -g carol /root/.ssh/authorized_keys /srv/nfs/carol/.ssh/
install -d -m 0700 -o carol -g carol /srv/nfs/carol/deep /srv/nfs/carol/deep/er
echo "/nfs/home /etc/auto.home" >/etc/auto.master.d/home.autofs
echo "* -fstype=nfs4,rw,soft,timeo=50,retrans=2 127.0.0.1:/&" >/etc/auto.home
systemctl restart autofs
su carol -c "ls -d /nfs/home/carol/deep/er"
! ls /nfs/home/carol/deep'
root 'sed -n 1,40p /etc/ie-container/policy.toml'
root "sed -i 's|^homes .*= .*|homes = [\"/home\", { path = \"/nfs/home\", idmap = \"off\" }]|' /etc/ie-container/policy.toml
grep -q '^unmapped' /etc/ie-container/runtime.toml && sed -i 's|^unmapped.*|unmapped = true|' /etc/ie-container/runtime.toml
systemctl reload ie-containerd"
says '^/nfs/home/carol$' as carol 'ie-container run --rm busybox pwd'
says '^/nfs/home/carol/deep/er$' as carol 'cd deep/er && ie-container run --rm busybox sh -c "pwd; echo x >made"'
says '^carol$' as carol 'stat -c %U deep/er/made'
says '^/nfs/home/carol/deep/new$' as carol 'ie-container run --rm -w /nfs/home/carol/deep/new busybox pwd'
as carol 'ie-container run -d --name nfs busybox sleep 100000' >/dev/null
says '^/nfs/home/carol/deep/er$' as carol 'ie-container exec -w /nfs/home/carol/deep/er nfs pwd'
says '127|not found' as carol 'cd deep; ie-container run --rm busybox no-such-command; echo $?'

# The server goes: others are not held up, and the doctor ends.
root 'systemctl stop nfs-server; nft add table inet cut; nft "add chain inet cut in { type filter hook input priority 0; }"; nft "add rule inet cut in tcp dport 2049 drop"'
says '^uid=' alice ie-container run --rm busybox id
says 'danger|warning|notice' root 'timeout 300 ie-container admin doctor; test $? != 124'
root 'nft delete table inet cut; systemctl start nfs-server'
within 300 says '^/nfs/home/carol$' as carol 'ie-container run --rm busybox pwd'
