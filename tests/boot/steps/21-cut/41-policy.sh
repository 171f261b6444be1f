# a policy with a mistake in it, GPUs by its list, and a firewall that flushes everything
root 'cp -p /etc/ie-container/policy.toml /root/policy.toml; echo "nonsense = [" >>/etc/ie-container/policy.toml'
refuses '.' root 'systemctl reload ie-containerd'
says 'policy' root 'journalctl -b -n 5 -o cat -u ie-containerd'
says '^uid=' alice ie-container run --rm busybox id
# A start goes by the one that was in force last, and says so.
root 'systemctl restart ie-containerd ie-mountd'
says '^uid=' alice ie-container run --rm busybox id
says 'policy' root 'systemctl status ie-containerd'
says 'policy' root 'ie-container admin doctor || true'
root 'cp -p /root/policy.toml /etc/ie-container/policy.toml
printf "\n[gpus]\nlist = [{ uuid = \"GPU-8f3c1b2a-6c1d-4f7e-9f0a-0d1e2f3a4b5c\", name = \"A100\" }]\n" >>/etc/ie-container/policy.toml
systemctl reload ie-containerd'
says 'A100 .*free' alice ie-container gpus
root 'cp -p /root/policy.toml /etc/ie-container/policy.toml && systemctl reload ie-containerd'

# The wall belongs to a process, and no flush reaches it. The engine's own rules are gone, which user and doctor are told.
root 'nft flush ruleset'
says 'drop' root 'nft list table inet ie-wall'
refuses 'firewall.*restart|restart.*firewall' alice 'ie-container run --rm -p 40090:80 busybox true'
says 'firewall' root 'ie-container admin doctor || true'
root 'systemctl restart ie-engine'
within 900 alice 'ie-container run --rm -p 40090:80 busybox true'
