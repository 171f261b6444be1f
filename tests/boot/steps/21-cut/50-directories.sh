# homes on NFS with root squashed and closed to others, by an automounter; a server that goes and comes back
root 'set -e
mkdir -p /srv/nfs /nfs/home
echo "/srv/nfs 127.0.0.1(rw,root_squash,no_subtree_check,fsid=0)" >/etc/exports
systemctl start nfs-server
useradd --no-create-home --home-dir /nfs/home/carol --shell /bin/bash carol
install -d -m 0700 -o carol -g carol /srv/nfs/carol /srv/nfs/carol/.ssh /srv/nfs/carol/deep /srv/nfs/carol/deep/er
install -m 0600 -o carol -g carol /root/.ssh/authorized_keys /srv/nfs/carol/.ssh/
echo "/nfs/home /etc/auto.home" >/etc/auto.master.d/home.autofs
echo "* -fstype=nfs4,rw,soft,timeo=50,retrans=2 127.0.0.1:/&" >/etc/auto.home
systemctl restart autofs
su carol -c "ls -d /nfs/home/carol/deep/er"
! ls /nfs/home/carol/deep'
carol() { as carol "$@"; }

# Who is not thought of by the policy is told so; a new one names where her home is.
refuses '/nfs/home' carol ie-container run --rm busybox pwd
root 'rm /etc/ie-container/policy.toml && ie-container admin init' >"$work/init"
says '/nfs/home with idmap = "off"' cat "$work/init"
says '^/nfs/home/carol/deep/er$' carol 'cd deep/er && ie-container run --rm busybox sh -c "pwd; echo x >made"'
says '^carol$' carol 'stat -c %U deep/er/made'
carol 'ie-container run -d --name nfs -w /nfs/home/carol/deep/new busybox sleep 100000' >/dev/null
says '^/nfs/home/carol/deep/new$' carol 'ie-container exec nfs pwd'
says '^/nfs/home/carol/deep/er$' carol 'ie-container exec -w /nfs/home/carol/deep/er nfs pwd'
refuses 'no-such-command' carol 'cd deep && ie-container run --rm busybox no-such-command'
refuses 'Permission denied' alice 'ls /nfs/home/carol'

# The server goes: others are not held up, and the doctor comes to an end.
root 'systemctl stop nfs-server; nft "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; add rule inet cut in tcp dport 2049 drop"'
says '^uid=' alice ie-container run --rm busybox id
says 'Up .* box$' alice ie-container ps
says ' ok$' root 'timeout 900 ie-container admin doctor || test $? = 1'
root 'nft delete table inet cut; systemctl start nfs-server'
carol_is_back() { says '^/nfs/home/carol$' carol 'ie-container run --rm busybox pwd'; }
within 900 carol_is_back
carol 'ie-container rm -f nfs' >/dev/null
