//! From the flags of `run` and `create` to the request body: pure, and only what was asked for.

mod caller;
mod csv;
mod env;
mod given;
pub(crate) mod gpus;
mod instead;
mod mounts;
mod networks;
mod other;
mod ports;
mod resources;

use super::cli::run::{CreateArgs, StreamName};
use super::error::Error;
use crate::protocol::told::{Told, told};
use bollard_stubs::models::{ContainerCreateBody, HostConfig};
pub(crate) use caller::Caller;
pub(crate) use env::{labels, variables};
use given::some;
pub(crate) use other::pairs;
pub(crate) use resources::restart;

/// Which of its streams the client will be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Streams {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

impl Streams {
    /// Neither -a nor -d: everything, stdin only with -i.
    pub(crate) fn of(args: &CreateArgs, detach: bool) -> Self {
        let all = args.attach.is_empty() && !detach;
        let named = |stream| args.attach.contains(&stream);
        Self {
            stdin: (all && args.interactive) || named(StreamName::Stdin),
            stdout: all || named(StreamName::Stdout),
            stderr: all || named(StreamName::Stderr),
        }
    }

    pub(crate) fn any(self) -> bool {
        self.stdin || self.stdout || self.stderr
    }
}

/// Where to start if neither the caller nor the image says: where the caller stands if the container has that, or in the
/// home.
pub(crate) fn start_dir(args: &CreateArgs, caller: &Caller) -> Result<Option<String>, Error> {
    if args.workdir.is_some() {
        return Ok(None);
    }
    let volumes = mounts::volumes(&args.volume, caller)?;
    Ok(Some(mounts::workdir(caller, &volumes).unwrap_or_default()))
}

/// What is taken, and is not what it seems.
pub(crate) fn warning(args: &CreateArgs, caller: &Caller) -> Option<Told> {
    instead::in_roots_home(args, caller)
}

/// The body of `POST /containers/create`.
pub(crate) fn create(args: &CreateArgs, detach: bool, caller: &Caller) -> Result<ContainerCreateBody, Error> {
    args.forbidden.refuse()?;
    instead::refuse(args)?;
    if args.rm && args.restart.as_deref().is_some_and(|policy| !matches!(policy, "" | "no")) {
        return Err(Error::usage(told!("conflicting options: cannot specify both --restart and --rm")));
    }
    let streams = Streams::of(args, detach);
    let networks = networks::networks(args)?;
    let (lines, volumes): (Vec<_>, Vec<_>) =
        mounts::volumes(&args.volume, caller)?.into_iter().partition(|volume| volume.line.is_some());
    let volumes: Vec<_> = volumes.into_iter().map(|volume| volume.mount).collect();
    let published = ports::published(&args.publish)?;
    let env = env::variables(&args.env, caller)?;
    let given = |yes: bool| yes.then_some(true);
    Ok(ContainerCreateBody {
        image: Some(args.image().to_owned()),
        cmd: some(args.command().to_vec()),
        entrypoint: args.entrypoint.clone().map(|word| vec![word]),
        hostname: args.hostname.clone(),
        env: some(env),
        working_dir: args.workdir.clone(),
        labels: some(env::labels(&caller.labels(&args.label))?),
        tty: given(args.tty),
        open_stdin: given(args.interactive),
        // The process sees the end of its input when the client goes.
        stdin_once: given(args.interactive && streams.stdin),
        attach_stdin: given(streams.stdin),
        attach_stdout: given(streams.stdout),
        attach_stderr: given(streams.stderr),
        exposed_ports: some(published.keys().chain(&args.other.expose).cloned().collect()),
        healthcheck: other::health(&args.other)?,
        networking_config: networks.config,
        stop_signal: args.stop_signal.clone(),
        stop_timeout: args.stop_timeout,
        host_config: Some(other::host(
            &args.other,
            HostConfig {
                init: Some(args.init),
                auto_remove: given(args.rm),
                restart_policy: args.restart.as_deref().map(resources::restart).transpose()?,
                readonly_rootfs: given(args.read_only),
                network_mode: networks.mode,
                port_bindings: some(published),
                binds: some(lines.into_iter().filter_map(|volume| volume.line).collect()),
                mounts: some([volumes, mounts::mounts(&args.mount, caller)?].concat()),
                tmpfs: some(mounts::tmpfs(&args.tmpfs)),
                device_requests: args
                    .gpus
                    .as_deref()
                    .map(gpus::request)
                    .transpose()?
                    .map(|request| vec![request]),
                memory: resources::bytes(args.memory)?,
                nano_cpus: resources::cpus(args.cpus)?,
                shm_size: resources::bytes(args.shm_size)?,
                pids_limit: args.pids_limit,
                ulimits: some(resources::ulimits(&args.ulimit)?),
                console_size: caller
                    .terminal
                    .filter(|_| args.tty)
                    .map(|(rows, columns)| vec![rows.into(), columns.into()]),
                ..HostConfig::default()
            },
        )?),
        ..ContainerCreateBody::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cli::{Verb, read};
    use serde_json::{Value, json};
    use std::collections::HashMap;

    fn caller() -> Caller {
        Caller {
            env: HashMap::from([("LANG".to_owned(), "C".to_owned())]),
            cwd: "/home/ann/proj".into(),
            home: Some(("/home/ann".into(), "/home/ann".into())),
            ..Caller::default()
        }
    }

    fn body(line: &str) -> Result<Value, Error> {
        let cli = read(["ie-container", "run"].into_iter().chain(line.split(' '))).unwrap();
        let Verb::Run(args) = cli.verb else { panic!("not run") };
        Ok(serde_json::to_value(create(&args.create, args.detach, &caller())?).unwrap())
    }

    #[test]
    fn run_asks_for_what_was_typed() {
        let typed = "--rm --name web -d -m 8g --cpus 1.5 --pids-limit 64 --shm-size 1g --init=false -e A=b -e LANG \
            -e NONE -l x=y -p 8080:80 -w /srv --entrypoint sh --read-only --network none --stop-timeout 3 img:1 -c --rm";
        let expected = json!({
            "Image": "img:1", "Cmd": ["-c", "--rm"], "Entrypoint": ["sh"], "Env": ["A=b", "LANG=C", "NONE"],
            "Labels": {"x": "y"}, "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}}, "StopTimeout": 3,
            "HostConfig": {
                "Init": false, "AutoRemove": true, "ReadonlyRootfs": true, "NetworkMode": "none",
                "PortBindings": {"80/tcp": [{"HostPort": "8080"}]}, "Memory": 8_589_934_592_u64,
                "NanoCpus": 1_500_000_000, "ShmSize": 1_073_741_824, "PidsLimit": 64,
            },
        });
        assert_eq!(body(typed).unwrap(), expected);
    }

    #[test]
    fn what_was_not_asked_is_not_sent() {
        let expected = json!({
            "Image": "img", "AttachStdout": true, "AttachStderr": true, "HostConfig": {"Init": true},
        });
        assert_eq!(body("--network own img").unwrap(), expected);
    }

    #[test]
    fn streams_follow_docker() {
        let expected = json!({
            "Image": "img", "Cmd": ["sh"], "Tty": true, "OpenStdin": true,
            "StdinOnce": true, "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
            "HostConfig": {"Init": true},
        });
        assert_eq!(body("-it img sh").unwrap(), expected);
        let detached = body("-itd img sh").unwrap();
        assert_eq!(detached.get("OpenStdin"), Some(&json!(true)));
        for absent in ["StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr"] {
            assert_eq!(detached.get(absent), None);
        }
        let one = body("-a STDERR img").unwrap();
        assert_eq!((one.get("AttachStdout"), one.get("AttachStderr")), (None, Some(&json!(true))));
    }

    #[test]
    fn a_terminal_is_as_large_as_the_caller_s() {
        let sized = |words: &[&str], terminal| {
            let cli = read([&["ie-container", "run"], words].concat()).unwrap();
            let Verb::Run(args) = cli.verb else { panic!("not run") };
            let caller = Caller { terminal, ..caller() };
            create(&args.create, args.detach, &caller).unwrap().host_config.unwrap().console_size
        };
        assert_eq!(sized(&["-t", "img"], Some((31, 97))), Some(vec![31, 97]));
        assert_eq!(sized(&["-t", "img"], None), None);
        assert_eq!(sized(&["-i", "img"], Some((31, 97))), None);
    }

    #[test]
    fn a_flag_of_docker_s_that_cannot_be_is_refused_with_its_reason() {
        for (line, said) in [
            (
                "--privileged img",
                "--privileged is not allowed here: containers run with your own rights and no more",
            ),
            ("-u 12345 img", "--user is not allowed here: every container runs as you"),
            ("--restart always --rm img", "conflicting options: cannot specify both --restart and --rm"),
        ] {
            assert_eq!(body(line).unwrap_err().to_string(), said);
        }
        assert!(body("--restart no img --privileged").is_ok());
        for line in
            ["--privileged=false img", "--ipc private --cgroupns= --runtime runc --isolation default img"]
        {
            assert!(body(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_refused_option_says_what_there_is_instead() {
        for (line, instead) in [
            ("--ipc=host img", "--shm-size"),
            ("--runtime nvidia img", "--gpus"),
            ("--device /dev/nvidia0 img", "--gpus"),
            ("--privileged img", "--gpus"),
            ("--pid=host img", "ie-container top"),
            ("--uts=host img", "--hostname"),
            ("--network host img", "-p "),
        ] {
            let hint = body(line).unwrap_err().refusal().hint.unwrap_or_default().to_string();
            assert!(hint.contains(instead), "{line}: {hint}");
        }
    }
}
