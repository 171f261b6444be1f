# a reboot with containers that run
says 'Up .* box$' alice ie-container ps
machine_reboot
ended_by_the_host
