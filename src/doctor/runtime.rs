//! ie-runc's file, which says of the engine what the policy says of it, too.

use super::Subject;
use super::finding::Check;
use super::look::Found;
use crate::policy::Policy;
use crate::protocol::layout::RUNTIME;
use toml::{Table, Value};

pub(super) const AGREES: Check = Check::new(
    "runtime-file",
    "ie-runc refuses whom its own file does not name, whatever the policy says, and the policy is what people edit",
);

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let Ok(policy) = &subject.policy else { return };
    let todo = "ie-container admin init writes it anew, as far as the policy says it";
    let Some(text) = subject.host.text(RUNTIME) else {
        found.push(AGREES.warning(format!("{RUNTIME} is not there"), todo));
        return;
    };
    found.push(match disagreements(&text, policy) {
        Err(why) => AGREES.warning(format!("{RUNTIME} is not understood: {why}"), todo),
        Ok(keys) if keys.is_empty() => AGREES.ok(format!("{RUNTIME} says what the policy says")),
        Ok(keys) => {
            let shown: Vec<_> = keys.iter().map(|(key, value)| shown(key, value.as_ref())).collect();
            AGREES.warning(format!("{RUNTIME} does not say {}", shown.join(", ")), todo)
        }
    });
}

fn shown(key: &str, value: Option<&Value>) -> String {
    value.map_or_else(|| format!("nothing for {key}"), |value| format!("{key} = {value}"))
}

/// The keys of that file which do not say what the policy says, with what they must say; nothing for one that must not be
/// there.
pub(crate) fn disagreements(
    text: &str,
    policy: &Policy,
) -> Result<Vec<(&'static str, Option<Value>)>, String> {
    let file: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let gateway = policy.gateway();
    let is_mapped = gateway.userns() == crate::policy::Userns::Remap;
    let unmapped = is_mapped && policy.roots().iter().any(|root| !root.idmap);
    let wanted = [
        ("uids", Some(Value::from(gateway.uids().to_string()))),
        ("socket", Some(Value::from(gateway.engine().display().to_string()))),
        ("remap_user", is_mapped.then(|| Value::from(gateway.remap_user()))),
        ("unmapped", Some(Value::from(unmapped))),
    ];
    let differs = |(key, value): &(&str, Option<Value>)| match (file.get(*key), value) {
        (None, Some(Value::Boolean(false))) => false,
        (said, wanted) => said != wanted.as_ref(),
    };
    Ok(wanted.into_iter().filter(differs).collect())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;
    use super::*;

    const FILE: &str =
        "uids = '1000-2000'\nsocket = '/run/ie-engine/docker.sock'\nremap_user = 'ie-engine'\n";

    #[test]
    fn what_the_policy_says_otherwise_is_named() {
        let fake = Fake::new();
        assert_eq!(fake.found("runtime-file").0, Warning);
        fake.file(RUNTIME, FILE);
        assert_eq!(fake.found("runtime-file").0, Ok);
        fake.file(RUNTIME, &FILE.replace("2000", "3000"));
        let seen = format!("{RUNTIME} does not say uids = \"1000-2000\"");
        assert_eq!(fake.found("runtime-file"), (Warning, seen));
        fake.file(RUNTIME, "uids");
        assert_eq!(fake.found("runtime-file").0, Warning);
    }

    #[test]
    fn a_root_without_idmaps_and_the_hosts_namespace_are_to_be_known() {
        let keys = |gateway: &str| {
            let policy = Policy::parse("p", &format!("[gateway]\nuids = '1000-2000'\n{gateway}")).unwrap();
            disagreements(FILE, &policy).unwrap()
        };
        assert_eq!(keys("homes = [{ path = '/h', idmap = 'off' }]"), [("unmapped", Some(Value::from(true)))]);
        assert_eq!(keys("userns = 'host'"), [("remap_user", None)]);
        assert_eq!(keys("engine = 'unix:///run/x'"), [("socket", Some(Value::from("/run/x")))]);
    }
}
