# a reboot with containers that run
says 'Up .* box$' alice ie-container ps
alice 'ie-container run -d --name back --restart unless-stopped busybox sleep 100000
ie-container run -d --name stays --restart always busybox sleep 100000; ie-container stop -t 0 stays' >/dev/null
machine_reboot
ended_by_the_host
# What was asked to starts again by itself, and what was stopped stays so.
within 900 says 'Up .* back$' alice ie-container ps
says 'Exited .* stays$' alice ie-container ps -a
alice ie-container rm -f back stays >/dev/null
