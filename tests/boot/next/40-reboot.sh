# a reboot and a pulled cable with containers that run
alice 'ie-container run -d --name long --restart unless-stopped busybox sleep 100000 2>/dev/null || ie-container run -d --name long busybox sleep 100000' >/dev/null
machine_reboot
within 120 alice ie-container ps
says '^$' root 'systemctl list-units --failed --plain --no-legend "ie-*"'
says 'restarted' alice ie-container ps -a
says '^from inside$' alice cat note
alice 'ie-container start box && ie-container exec box true'
machine_cut
within 120 alice ie-container ps -a
says '^$' root 'systemctl list-units --failed --plain --no-legend "ie-*"'
says 'restarted' alice ie-container ps -a
alice 'ie-container start box && ie-container exec box cat note'
alice 'ie-container rm -f long' >/dev/null
