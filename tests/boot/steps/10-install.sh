# two packages and one command, on a Debian where nothing of ours is
packages=("$top"/target/deb/ie-container_*.deb "$top"/target/deb/ie-containerd_*.deb)
[ ${#packages[@]} = 2 ] || fail "one package of each name is wanted in target/deb: ${packages[*]}"
root 'mkdir -p /root/new'
copy_in "${packages[@]}" /root/new/
root 'cd /root/new && DEBIAN_FRONTEND=noninteractive apt-get -q -y install ./ie-container_*.deb ./ie-containerd_*.deb'

# Nobody is let in before there is a policy, and a user is told what is missing.
refuses '^inactive' root systemctl is-active ie-containerd.socket ie-containerd.service ie-mountd.service ie-engine.service
refuses 'ie-container' alice ie-container ps
silent root 'find / -xdev -newer /root/new -perm /6000 -type f'

root 'ie-container admin init' >"$work/init"
cat "$work/init"
install -m 0644 "$work/init" "$top/target/boot/init.$suite"
services='ie-engine ie-engine-containerd ie-mountd ie-containerd'
[ "$(root "systemctl is-active $services ie-containerd.socket ie-wall.timer" | sort -u)" = active ] || fail "not all is active: $services"
[ "$(root "systemctl is-enabled $services" | sort -u)" = enabled ] || fail "not all is enabled: $services"
# The doctor has the last word there.
says '^0 danger, 0 warning, ' cat "$work/init"

# A second time it keeps what is there, and says so.
root 'md5sum /etc/ie-container/* /etc/subuid /etc/subgid' >"$work/before"
says '^units   enabled, and ran already: .*ie-containerd.service$' root 'ie-container admin init'
root 'md5sum /etc/ie-container/* /etc/subuid /etc/subgid' >"$work/after"
cmp "$work/before" "$work/after" || fail 'admin init changed what was there'
