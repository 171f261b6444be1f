# run, ps, exec, attach, cp, ports, names, quota: two users over ssh, each for themselves
root 'set -e
install -d -m 1777 /root/image/tmp; mkdir -p /root/image/bin && cp /bin/busybox /root/image/bin/
for name in sh ls cat id sleep echo true stty nc mkdir head yes hostname touch stat tail pwd seq wc; do ln -sf busybox /root/image/bin/$name; done
tar -C /root/image -c . | docker --host unix:///run/ie-engine/docker.sock import --change "CMD [\"sh\"]" - busybox:latest >/dev/null'

alice 'echo from home >note; ie-container run -d --name box busybox sleep 100000'
says 'busybox.*Up .* box$' alice ie-container ps
says '^from home$' alice ie-container exec box cat note
alice 'ie-container exec box sh -c "echo from inside >note"'
says '^from inside alice alice$' alice 'echo $(cat note) $(stat -c "%U %G" note)'
alice 'ie-container cp note box:/tmp/note && ie-container cp box:/tmp/note back && cmp note back'
says '^got in uid=[0-9]+.alice. ' alice 'echo in | ie-container run -i --rm busybox sh -c "read word; echo got \$word \$(id)"'
alice 'ie-container run -d -i --name att busybox sh -c "read word; echo got \$word"'
says '^got hello' alice 'echo hello | ie-container attach att'

# A port of the user's own, reached from the host; a name on the user's own network.
alice 'ie-container run -d --name web -p 40080:8080 busybox sh -c "while true; do echo served | nc -l -p 8080; done"'
within 900 says '^served' alice 'exec 3<>/dev/tcp/127.0.0.1/40080; timeout 10 head -1 <&3'
within 900 says '^served' alice 'ie-container exec box sh -c "nc -w 5 web 8080 </dev/null"'
says 'containers +3 ' alice ie-container quota

# The other user sees nothing of it, and reaches nothing of it.
silent bob ie-container ps -aq
refuses '^ie-container: No such container: box' bob ie-container exec box true
refuses '^ie-container: No such container: box' bob ie-container stop box
bob 'ie-container run -d --name box busybox sleep 100000'
refuses 'bad address|timed out' bob 'ie-container exec box sh -c "nc -w 3 web 8080 </dev/null"'
address=$(engine 'inspect --format "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}" ie-1000-web')
says '^[0-9.]+$' echo "$address"
refuses 'timed out|unreachable' bob "ie-container exec box sh -c 'nc -w 3 $address 8080 </dev/null'"
refuses 'Permission denied' bob cat /home/alice/note
refuses '[Pp]ermission denied' alice 'docker --host unix:///run/ie-engine/docker.sock ps'
refuses 'Permission denied' alice 'ls /run/ie-container/admin'
refuses 'sudo' alice 'ie-container admin ps'
says 'box.*alice|alice.*box' root ie-container admin ps
refuses 'そのようなコンテナ' bob 'LANG=ja_JP.UTF-8 ie-container stop nothing'

# Docker's profile is in force in each container.
says '^docker-default \(enforce\)$' alice 'ie-container exec box cat /proc/self/attr/current'
engine 'ps -q --no-trunc' >"$work/ids"
while read -r id; do
    says '^docker-default \(enforce\)$' root "cat /proc/\$(docker --host unix:///run/ie-engine/docker.sock inspect --format '{{.State.Pid}}' $id)/attr/current" </dev/null
done <"$work/ids"
alice 'ie-container rm -f att web' >/dev/null
# What is written lasts when a cable is pulled a moment later.
alice sync note
