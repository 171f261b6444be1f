# run, ps, exec, attach, cp, ports, names, quota: two users over ssh, each for themselves
root 'set -e
install -d -m 1777 /root/image/tmp; mkdir -p /root/image/bin && cp /bin/busybox /root/image/bin/
for name in sh ls cat id sleep echo true stty ping nc wget mkdir head dd yes ps kill hostname touch stat ip tail tr pwd seq; do ln -sf busybox /root/image/bin/$name; done
tar -C /root/image -c . | docker --host unix:///run/ie-engine/docker.sock import --change "CMD [\"sh\"]" - busybox:latest >/dev/null'

says '^uid=[0-9]+\(alice\)' alice ie-container run --rm busybox id
alice 'echo from home >note; ie-container run -d --name box busybox sleep 100000'
says 'busybox.*Up .* box$' alice ie-container ps
says '^from home$' alice ie-container exec box cat note
alice 'ie-container exec box sh -c "echo from inside >note"'
says '^from inside$' alice cat note
says '^alice alice$' alice 'stat -c "%U %G" note'
alice 'ie-container cp note box:/tmp/note && ie-container cp box:/tmp/note back && cmp note back'
says '^in$' alice 'echo in | ie-container run -i --rm busybox cat'
alice 'ie-container run -d -i --name att busybox sh -c "read word; echo got \$word"'
says '^got hello' alice 'echo hello | ie-container attach att'

# A port of the user's own, reached from the host; a name on the user's own network.
alice 'ie-container run -d --name web -p 40080:8080 busybox sh -c "while true; do echo served | nc -l -p 8080; done"'
within 60 says '^served' alice 'bash -c "exec 3<>/dev/tcp/127.0.0.1/40080; timeout 10 head -1 <&3"'
within 60 says '^served' alice 'ie-container run --rm busybox sh -c "nc -w 5 web 8080 </dev/null"'
says 'containers' alice ie-container quota

# The other user sees nothing of it.
says '^$' bob ie-container ps -aq
refuses 'no such container' bob ie-container exec box true
refuses 'no such container' bob ie-container stop box
bob 'ie-container run -d --name box busybox sleep 100000'
refuses '.' bob 'ie-container exec box sh -c "nc -w 3 web 8080 </dev/null"'
refuses 'denied|not permitted' bob cat /home/alice/note
refuses '[Pp]ermission denied' alice 'docker --host unix:///run/ie-engine/docker.sock ps'
refuses '[Pp]ermission denied' alice 'ls /run/ie-container/admin'
refuses 'sudo' alice 'ie-container admin ps'
says 'box.*alice|alice.*box' root ie-container admin ps
says 'コンテナ|ありません' bob 'LANG=ja_JP.UTF-8 LC_ALL=ja_JP.UTF-8 ie-container stop nothing || true'

# Docker's profile is in force in each container.
says '^docker-default \(enforce\)$' alice 'ie-container exec box cat /proc/self/attr/current'
