//! Sentences of engines, recorded or as their sources write them, and what is told instead.

use super::*;

fn told(said: &str) -> &'static str {
    known(said).unwrap_or_else(|| panic!("not known: {said}")).sentence.english()
}

/// What is said of one cause from 20.10 to 29.
const SAID: &[(&str, &[&str])] = &[
    (
        "the engine cannot load the AppArmor profile of containers",
        &[
            "AppArmor enabled on system but the docker-default profile could not be loaded: running `/sbin/apparmor_parser \
             apparmor_parser -Kr /var/lib/docker/tmp/docker-default123` failed with output: \nerror: exec: \
             \"apparmor_parser\": executable file not found in $PATH",
            "AppArmor enabled on system but the docker-default profile could not be loaded: running 'apparmor_parser -Kr \
             /tmp/docker-default1' failed with output: apparmor_parser: Access denied. You need policy admin privileges",
        ],
    ),
    (
        "the AppArmor profile of containers is not loaded",
        &[
            "OCI runtime create failed: runc create failed: unable to start container process: error during container \
             init: unable to apply apparmor profile: apparmor failed to apply profile: write \
             /proc/self/attr/apparmor/exec: no such file or directory: unknown",
            "failed to create shim task: OCI runtime create failed: container_linux.go:380: starting container process \
             caused: process_linux.go:545: container init caused: apply apparmor profile: apparmor failed to apply \
             profile: write /proc/self/attr/exec: no such file or directory: unknown",
        ],
    ),
    (
        "the engine may lock too little memory to set up a container's devices",
        &[
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create \
             failed: unable to start container process: error during container init: error setting cgroup config for \
             procHooks process: load program: operation not permitted (MEMLOCK may be too low, consider \
             rlimit.RemoveMemlock): unknown",
        ],
    ),
    (
        "the engine may lock too little memory for what the container asks",
        &[
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
             process: error during container init: error setting rlimits for ready process: error setting rlimit type \
             8: operation not permitted: unknown",
        ],
    ),
    (
        "the engine has less of a limit than the container asks for",
        &[
            "OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: \
           container init caused: process_linux.go:508: setting rlimits for ready process caused: error setting rlimit \
           type 7: operation not permitted: unknown",
        ],
    ),
    (
        "no space left on the engine's disk",
        &[
            "mkdir /var/lib/docker/overlay2/x-init: no space left on device",
            "failed to register layer: write /usr/lib/x: no space left on device",
            "failed to extract layer sha256:1: write /var/lib/containerd/x: disk quota exceeded",
        ],
    ),
    (
        "the kernel keeps no more keyrings for containers",
        &[
            "OCI runtime create failed: unable to start container process: error during container init: unable to join \
           session keyring: unable to create session key: disk quota exceeded: unknown",
        ],
    ),
    (
        "the kernel makes no more namespaces for containers",
        &[
            "OCI runtime create failed: runc create failed: unable to start container process: error during container \
           init: nsexec[4242]: failed to unshare remaining namespaces: No space left on device: unknown",
        ],
    ),
    (
        FIREWALL.0.english(),
        &[
            "driver failed programming external connectivity on endpoint ie-1000-web (0f0f):  (iptables failed: iptables \
             --wait -t nat -A DOCKER -p tcp -d 127.0.0.1 --dport 8080 -j DNAT --to-destination 172.18.0.2:80 ! -i \
             br-1: iptables: No chain/target/match by that name.\n (exit status 1))",
            "failed to set up container networking: driver failed programming external connectivity on endpoint x (0f): \
             Unable to enable DNAT rule: (iptables failed: iptables --wait -t nat -A DOCKER -p tcp: iptables v1.8.11 \
             (nf_tables): Chain 'DOCKER' does not exist\nTry `iptables -h' or 'iptables --help' for more information.\n \
             (exit status 2))",
            "Failed to Setup IP tables: Unable to enable SKIP DNAT rule:  (iptables failed: iptables --wait -t nat -I \
             DOCKER -i br-0f -j RETURN: iptables: No chain/target/match by that name.\n (exit status 1))",
            "failed to set up container networking: driver failed programming external connectivity on endpoint \
             ie-1000-web (0f0f): running nft: Error: Could not process rule: No such file or directory",
            "failed to set up container networking: failed to add rules to nftables table ip docker-bridges: nft -f -: \
             /dev/stdin:1:1-5: Error: Could not process rule: No such file or directory",
        ],
    ),
    (
        NETWORK.0.english(),
        &[
            "failed to create endpoint ie-1000-box on network ie-1000: network \
             ada83141ff6f73e6b002ad5e2bc904ae4e62000961f667d35f1a4553c4f333a4 does not exist",
            "failed to set up container networking: failed to create endpoint ie-1000-box on network ie-1000: network \
             ada83141ff6f73e6b002ad5e2bc904ae4e62000961f667d35f1a4553c4f333a4 does not exist",
        ],
    ),
    (
        PORT.0.english(),
        &[
            "driver failed programming external connectivity on endpoint web (0f): Bind for 0.0.0.0:8080 failed: port is \
             already allocated",
            "driver failed programming external connectivity on endpoint web (0f): Error starting userland proxy: listen \
             tcp4 127.0.0.1:8080: bind: address already in use",
            "failed to set up container networking: driver failed programming external connectivity on endpoint web: \
             failed to bind host port 127.0.0.1:8080/tcp: address already in use",
        ],
    ),
    (
        ADDRESSES.0.english(),
        &[
            "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
            "all predefined address pools have been fully subnetted",
            "failed to set up container networking: no available IPv4 addresses on this network's address pools: ie1000 \
             (0f)",
            "Pool overlaps with other one on this address space",
        ],
    ),
    (
        KERNEL.0.english(),
        &[
            "failed to create endpoint web on network ie1000: failed to add the host (veth1) <=> sandbox (veth2) pair \
             interfaces: operation not supported",
            "error creating overlay mount to /var/lib/docker/overlay2/0f/merged: no such device",
        ],
    ),
    (
        UNMAPPED.0.english(),
        &[
            "failed to register layer: Container ID 100000 cannot be mapped to a host ID",
            "OCI runtime create failed: runc create failed: unable to start container process: error during container \
             init: cannot set uid to unmapped user in user namespace: unknown",
            "failed to register layer: ApplyLayer exit status 1 stdout:  stderr: lchown /etc/gshadow: invalid argument",
            "OCI runtime exec failed: exec failed: unable to start container process: setgroups: invalid argument: unknown",
        ],
    ),
    (
        CARD.0.english(),
        &[
            "error gathering device information while adding custom device \"/dev/nvidia0\": no such file or directory",
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
             process: error during container init: error running hook #0: error running hook: exit status 1, stdout: , \
             stderr: nvidia-container-cli: device error: GPU-0f: unknown device: unknown",
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=GPU-0f",
        ],
    ),
    (
        DRIVER.0.english(),
        &[
            "could not select device driver \"\" with capabilities: [[gpu]]",
            "OCI runtime create failed: runc create failed: unable to start container process: error running prestart \
             hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy' nvidia-container-cli: \
             initialization error: nvml error: driver/library version mismatch: unknown",
        ],
    ),
    (
        RESOLVE.0.english(),
        &[
            "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host",
            "Get https://registry.example/v2/: dial tcp: lookup registry.example on [::1]:53: read udp: i/o timeout",
            "failed to resolve reference \"registry.example/a:1\": failed to do request: Head \
             \"https://registry.example/v2/a/manifests/1\": dial tcp: lookup registry.example: Temporary failure in name \
             resolution",
            "Get \"https://x/v2/\": dial tcp: lookup x on 127.0.0.53:53: server misbehaving",
        ],
    ),
    (
        UNREACHED.0.english(),
        &[
            "Get \"https://registry.example/v2/\": dial tcp 10.0.0.9:443: connect: connection refused",
            "Get \"https://registry-1.docker.io/v2/\": net/http: request canceled while waiting for connection \
             (Client.Timeout exceeded while awaiting headers)",
        ],
    ),
    (
        "the container has too little memory to start",
        &[
            "OCI runtime create failed: runc create failed: unable to start container process: container init was \
             OOM-killed (memory limit too low?): unknown",
            "OCI runtime create failed: unable to set memory limit to 1048576 (current usage: 1, peak usage: 2): unknown",
        ],
    ),
    (
        PROCESSES.0.english(),
        &[
            "OCI runtime exec failed: exec failed: unable to start container process: read init-p: connection reset by \
             peer: runtime: failed to create new OS thread (have 2 already; errno=11): unknown",
            "OCI runtime create failed: fork/exec /proc/self/fd/6: resource temporarily unavailable: unknown",
        ],
    ),
    (
        RUNTIME.0.english(),
        &[
            "failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open \
             /run/containerd/io.containerd.runtime.v2.task/moby/0f/log.json: no such file or directory): signal: killed: \
             unknown",
            "failed to create shim task: ttrpc: closed: unknown",
        ],
    ),
    (
        AWAY.0.english(),
        &[
            "connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: \
             connection refused\": unavailable",
            "failed to create task for container: context deadline exceeded: unknown",
        ],
    ),
];

#[test]
fn each_cause_is_told_in_words_for_users_whatever_the_version() {
    for (sentence, all) in SAID {
        for said in *all {
            assert_eq!(told(said), *sentence, "{said}");
        }
    }
}

/// The engine's jargon, or words by which clients take a failure for a missing command.
#[test]
fn no_sentence_of_ours_needs_to_be_explained() {
    for known in KNOWN {
        assert_eq!(known.words, known.words.iter().map(|word| word.to_lowercase()).collect::<Vec<_>>());
        for jargon in
            ["OCI", "rlimit", "executable file not found", "no such file", "permission denied", "endpoint"]
        {
            assert!(!known.sentence.english().contains(jargon), "{}", known.sentence);
        }
        assert!(!known.hint.english().is_empty());
    }
}

#[test]
fn what_a_container_s_own_command_does_is_not_the_host_s_failure() {
    for said in [
        "OCI runtime create failed: runc create failed: unable to start container process: exec: \"nope\": executable file \
         not found in $PATH: unknown",
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/etc\": permission denied: unknown",
        "Container 0f is not running",
        "something broke",
    ] {
        assert_eq!(known(said), None, "{said}");
    }
}
