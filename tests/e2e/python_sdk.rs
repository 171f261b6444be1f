//! The Docker SDK for Python on the gateway's socket.

use crate::suite::{tests, world};
use crate::world::World;

tests![
    a_container_from_run_to_remove,
    exec_and_archives,
    streams_and_waits,
    create_takes_its_options,
    refusals_are_exceptions_with_our_sentence,
];

/// What every script begins with.
const BEGIN: &str = "
import docker, io, os, tarfile, time
from docker.errors import APIError, ContainerError, NotFound
client = docker.from_env()
home = os.environ['HOME']
me = f'{os.getuid()}:{os.getgid()}'

def refused(call, *words):
    try:
        call()
    except APIError as error:
        assert error.is_client_error(), error
        assert any(word in error.explanation for word in words), error
    else:
        raise AssertionError('that was not refused')
";

/// Runs a script as somebody new; it ends well only if every `assert` in it held.
#[track_caller]
fn script(body: &str) -> String {
    script_in(&world(), body)
}

/// The same, beside what else a test has in its world: to ask for that twice is to wait for oneself.
#[track_caller]
fn script_in(world: &World, body: &str) -> String {
    let bob = world.newcomer("b-o.b");
    bob.python(&format!("{BEGIN}{body}")).ok()
}

fn a_container_from_run_to_remove() {
    let said = script(
        "
assert client.ping()
assert client.version()['ApiVersion'] == client.version()['Components'][1]['Details']['ApiVersion']
assert client.info()['Containers'] == 0
print(client.containers.run('busybox:test', ['id', '-u'], remove=True).decode().strip() == str(os.getuid()))
try:
    client.containers.run('busybox:test', ['sh', '-c', 'echo wrong >&2; exit 7'], remove=True)
except ContainerError as error:
    print(error.exit_status, error.stderr)
box = client.containers.run('busybox:test', 'sleep 1000', name='box', detach=True, labels={'tier': 'web'})
assert [c.name for c in client.containers.list(filters={'label': 'tier=web'})] == ['box']
assert client.containers.get('box').id == box.id
box.rename('other')
box.reload()
print(box.name, box.status)
box.restart(timeout=0)
box.kill()
print(box.wait()['StatusCode'])
box.start()
box.stop(timeout=0)
box.remove(v=True)
assert client.containers.list(all=True) == []
assert [tag for image in client.images.list() for tag in image.tags if 'forbidden' in tag] == []
assert client.images.get('busybox:test').tags == ['busybox:test']
",
    );
    assert_eq!(said, "True\n7 b'wrong\\n'\nother running\n137\n");
}

fn exec_and_archives() {
    script(
        "
box = client.containers.run('busybox:test', 'sleep 1000', name='box', detach=True)
assert box.exec_run('id -u').output.decode().strip() == str(os.getuid())
done = box.exec_run(['sh', '-c', 'echo $B; pwd; exit 4'], environment={'B': '2'}, workdir='/tmp', user=me)
assert (done.exit_code, done.output) == (4, b'2\\n/tmp\\n'), done
out, err = box.exec_run(['sh', '-c', 'echo out; echo err >&2'], demux=True).output
assert (out, err) == (b'out\\n', b'err\\n')
assert b''.join(box.exec_run(['sh', '-c', 'echo 1; echo 2'], stream=True).output) == b'1\\n2\\n'
box.exec_run(['touch', '/tmp/detached'], detach=True)
made = client.api.exec_create(box.id, ['cat'], stdin=True)
assert client.api.exec_inspect(made['Id'])['ContainerID'] == box.id
stream = client.api.exec_start(made['Id'], socket=True)
stream._sock.sendall(b'typed')
stream._sock.shutdown(1)
assert b'typed' in b''.join(iter(lambda: stream._sock.recv(4096), b''))

packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode='w') as archive:
    entry = tarfile.TarInfo('file')
    entry.size = 3
    archive.addfile(entry, io.BytesIO(b'abc'))
assert box.put_archive('/tmp', packed.getvalue())
chunks, stat = box.get_archive('/tmp/file')
assert (stat['name'], stat['size']) == ('file', 3), stat
back = tarfile.open(fileobj=io.BytesIO(b''.join(chunks)))
assert back.extractfile('file').read() == b'abc'
try:
    box.get_archive('/no/such/file')
except NotFound as error:
    print(error.explanation)
",
    );
}

fn streams_and_waits() {
    script(
        "
box = client.containers.run('busybox:test', ['sh', '-c', 'echo one; sleep 1; echo two; exit 5'], name='box', detach=True)
assert list(box.logs(stream=True, follow=True)) == [b'one\\n', b'two\\n']
assert box.wait()['StatusCode'] == 5
assert box.logs(tail=1, timestamps=True).endswith(b'Z two\\n')
box.remove()
box = client.containers.run('busybox:test', 'cat', name='box', detach=True, stdin_open=True, tty=True)
stream = box.attach_socket(params={'stdin': 1, 'stdout': 1, 'stream': 1})
stream._sock.sendall(b'typed\\n')
heard = b''
while b'typed' not in heard:
    heard += stream._sock.recv(4096)
box.resize(41, 133)
assert 'sleep' not in str(box.top()) and 'cat' in str(box.top())
assert box.stats(stream=False)['pids_stats']['current'] >= 1
assert next(box.stats(decode=True))['memory_stats']
box.remove(force=True)
",
    );
}

fn create_takes_its_options() {
    script(
        "
from docker.types import Healthcheck, LogConfig, Mount, Ulimit
os.makedirs(f'{home}/work', exist_ok=True)
box = client.containers.create('busybox:test', ['sh', '-c', 'echo $A; id -u; touch /work/made; sleep 1000'],
    name='box', hostname='named', user=me, environment={'A': '1'}, labels={'a': 'b'}, working_dir='/tmp',
    mounts=[Mount('/work', f'{home}/work', type='bind'), Mount('/t', None, type='tmpfs', tmpfs_size=1 << 20)],
    volumes={f'{home}/work': {'bind': '/again', 'mode': 'ro'}}, tmpfs={'/scratch': 'size=1m'},
    healthcheck=Healthcheck(test=['CMD', 'true'], interval=5_000_000_000), ulimits=[Ulimit(name='nofile', soft=64, hard=64)],
    mem_limit='48m', nano_cpus=500_000_000, pids_limit=32, shm_size='8m', init=True, read_only=True, cap_drop=['ALL'],
    security_opt=['no-new-privileges'], stop_signal='TERM', network_mode='none')
box.start()
while box.logs().count(b'\\n') < 2 or not os.path.exists(f'{home}/work/made'):
    time.sleep(0.05)
assert box.logs() == f'1\\n{os.getuid()}\\n'.encode(), box.logs()
assert box.attrs['HostConfig']['Memory'] == 48 << 20
assert box.attrs['Config']['Labels'] == {'a': 'b'}
assert {mount['Source'] for mount in box.attrs['Mounts'] if mount['Type'] == 'bind'} == {home, f'{home}/work'}
",
    );
}

fn refusals_are_exceptions_with_our_sentence() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("hers");
    script_in(
        &world,
        "
box = client.containers.run('busybox:test', 'sleep 1000', name='box', detach=True)
run = lambda **options: lambda: client.containers.run('busybox:test', 'true', **options)
refused(run(privileged=True), 'Privileged is not allowed here')
refused(run(volumes={'/': {'bind': '/host', 'mode': 'rw'}}), '/')
refused(run(user='root'), 'User is not allowed here')
refused(run(pid_mode='host'), 'PidMode is not allowed here')
refused(run(network_mode='host'), 'NetworkMode is not allowed here')
refused(run(cap_add=['SYS_ADMIN']), 'CapAdd is not allowed here')
refused(run(restart_policy={'Name': 'always'}), 'restart: what has ended stays ended here')
refused(lambda: box.exec_run('id', user='root'), 'User is not allowed here')
refused(lambda: box.exec_run('id', privileged=True), 'Privileged is not allowed here')
refused(lambda: box.commit('mine'), 'not served')
refused(lambda: list(client.images.build(fileobj=io.BytesIO(b'FROM busybox:test'))), 'not served')
refused(lambda: client.images.load(b'x' * (24 << 20)), 'not served')
refused(lambda: client.images.push('busybox:test', stream=False), 'not served')
refused(lambda: client.images.remove('busybox:test'), 'not served')
refused(lambda: client.swarm.init(), 'not served')
box.pause()
box.reload()
assert box.status == 'paused', box.status
box.unpause()
box.update(mem_limit='32m', memswap_limit='32m')
refused(lambda: box.update(mem_limit='900g'), 'max.memory')
try:
    client.containers.get('hers')
except NotFound:
    pass
else:
    raise AssertionError('somebody else\\'s container was found')
",
    );
    assert_eq!(world.inspect(&ann.engine_name("hers"), "{{.State.Running}}"), "true");
}
