# each part is restarted while people are attached, wait, copy and execute
goes_on() {
    says 'Up .* kept$' alice ie-container ps
    says '^up$' alice 'ie-container exec kept echo up'
}
rm -f "$work/keys" && mkfifo "$work/keys"
exec 5<>"$work/keys"
alice 'ie-container run -d --name kept busybox sh -c "trap \"exit 5\" TERM; n=0; while true; do n=\$((n+1)); echo line \$n; sleep 1; done"' >/dev/null
begin wait alice 'ie-container wait kept'
begin logs alice 'ie-container logs -f kept'
begin attach alice 'ie-container attach --no-stdin kept'
begin exec alice 'ie-container exec kept sh -c "echo part; sleep 100000"'
# A tar that does not end is on its way into a container.
begin cp alice 'head -c 300000 /dev/zero >half; tar c half >half.tar
    ie-container cp - kept:/tmp < <(exec 2>/dev/null; head -c 200000 half.tar; exec sleep 1000)'
begin shell terminal alice ie-container run -it --name shell busybox sh <&5
printed logs '^line'
printed attach '^line'
printed exec '^part'
printed shell '[$] '
within 900 says 'ie-copy' alice ie-container top kept -eo pid,args

# The gateway: who can go on goes on, and who cannot says what was lost.
root systemctl restart ie-containerd
goes_on
comes_to exec 125 'connection lost'
comes_to cp 1 'connection lost; nothing or not all was copied: run it again'
printed shell 'the connection is back'
echo 'echo again-$((3*3)); exit 6' >&5
comes_to shell 6 'again-9'
alice ie-container rm shell >/dev/null

# Mount helper and wall: what runs goes on, and what is new starts.
root systemctl restart ie-mountd
goes_on
says '^from inside$' alice ie-container run --rm busybox cat note
root systemctl restart ie-wall
goes_on
says '^from inside$' alice ie-container run --rm busybox cat note

# The engine and its containerd: containers live on.
begin exec alice 'ie-container exec kept sh -c "echo part; sleep 100000"'
printed exec '^part'
root systemctl restart ie-engine-containerd
within 900 goes_on
comes_to exec 125 'connection lost'
says '^from inside$' alice ie-container run --rm busybox cat note
alice ie-container stop -t 60 kept >/dev/null
# They hold on for 60 seconds, in which not every machine has its engine again.
comes_to wait '0|1' '^5$|the connection to the gateway was lost'
comes_to logs '0|1' '^line'
comes_to attach '5|125' '^line|connection lost; the container goes on'
alice ie-container rm kept >/dev/null
silent root 'systemctl list-units --failed --plain --no-legend "ie-*"'
exec 5>&-

# Without live-restore it ends them, and they start again.
root 'sed -i "s/\"live-restore\": true/\"live-restore\": false/" /etc/ie-container/engine.json && systemctl restart ie-engine'
within 900 says 'Exited' alice ie-container ps -a
root 'sed -i "s/\"live-restore\": false/\"live-restore\": true/" /etc/ie-container/engine.json && systemctl reload ie-engine'
within 900 says '^true$' engine "info --format '{{.LiveRestoreEnabled}}'"
alice 'ie-container start box && ie-container exec box true'
