# a reboot and a pulled cable with containers that run
ended_by_the_host() {
    within 900 alice ie-container ps
    silent root 'systemctl list-units --failed --plain --no-legend "ie-*"'
    # Beside the host's own engine, which starts at the same time.
    within 900 says '^active$' root systemctl is-active docker
    says 'Exited .*stopped: the host was restarted.* box$' alice ie-container ps -a
    says '^from inside$' alice cat note
    says '^from inside$' alice 'ie-container start box >/dev/null && ie-container exec box cat note'
}
says 'Up .* box$' alice ie-container ps
machine_reboot
ended_by_the_host
machine_cut
ended_by_the_host
