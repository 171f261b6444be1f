//! The zero-value rule: what a field that is not served may hold.

use crate::protocol::told::{Phrase, phrase};
use serde_json::Value;

/// Docker's clients send every field; one that asks for nothing is null, false, 0, "", [], {} or an object of such.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_zero),
    }
}

/// Fields whose "nothing asked" is another value, as Docker documents it.
pub(super) fn is_documented_default(path: &str, value: &Value) -> bool {
    match path {
        "HostConfig.MemorySwappiness" => value.as_i64() == Some(-1),
        "HostConfig.Isolation" | "HostConfig.UsernsMode" => value == "default",
        "HostConfig.IpcMode" | "HostConfig.CgroupnsMode" => value == "private",
        _ => false,
    }
}

/// Why a field is not served, where more can be said than that.
pub(super) fn reason(path: &str) -> Phrase {
    match path {
        "HostConfig.Privileged" => phrase!("a privileged container is root on the host"),
        "HostConfig.CapAdd" => phrase!("containers run without capabilities"),
        "HostConfig.Devices" | "HostConfig.DeviceCgroupRules" => {
            phrase!("containers get no devices of the host's")
        }
        "HostConfig.PidMode"
        | "HostConfig.IpcMode"
        | "HostConfig.UTSMode"
        | "HostConfig.UsernsMode"
        | "HostConfig.CgroupnsMode" => phrase!("each container has namespaces of its own"),
        "HostConfig.SecurityOpt" => phrase!("the walls around a container are the same for everyone"),
        "EnableIPv6" | "EndpointConfig.IPAMConfig.IPv6Address" => {
            phrase!("networks have IPv4 addresses alone: the policy has no IPv6 pool")
        }
        "HostConfig.VolumeDriver" => phrase!("volumes are on the engine's own disk"),
        "HostConfig.GroupAdd" => phrase!("a container has its owner's groups"),
        "HostConfig.Runtime" => phrase!("the runtime is the gateway's choice"),
        "HostConfig.LogConfig" => phrase!("logs are kept by the engine, with a limit on their size"),
        "HostConfig.CpuShares" | "HostConfig.CpuQuota" | "HostConfig.CpuPeriod" | "HostConfig.CpusetCpus" => {
            phrase!("ask for cpus with --cpus")
        }
        "HostConfig.StorageOpt"
        | "HostConfig.Sysctls"
        | "HostConfig.CgroupParent"
        | "HostConfig.OomScoreAdj" => phrase!("it is the host's to set"),
        _ => phrase!("it is not served"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zero_is_what_asks_for_nothing() {
        for zero in [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({}),
            json!({"a": {"b": ""}}),
        ] {
            assert!(is_zero(&zero), "{zero}");
        }
        for set in
            [json!(true), json!(1), json!(-1), json!("x"), json!([null]), json!([0]), json!({"a": [""]})]
        {
            assert!(!is_zero(&set), "{set}");
        }
    }

    #[test]
    fn what_docker_documents_as_nothing_is_nothing() {
        for (path, nothing, something) in [
            ("HostConfig.MemorySwappiness", json!(-1), json!(60)),
            ("HostConfig.Isolation", json!("default"), json!("hyperv")),
            ("HostConfig.UsernsMode", json!("default"), json!("host")),
            ("HostConfig.IpcMode", json!("private"), json!("host")),
            ("HostConfig.CgroupnsMode", json!("private"), json!("host")),
        ] {
            assert!(
                is_documented_default(path, &nothing) && !is_documented_default(path, &something),
                "{path}"
            );
        }
        assert!(!is_documented_default("HostConfig.PidMode", &json!("private")));
    }

    /// Each says more than that it is not served, and something of its own.
    #[test]
    fn what_users_ask_for_most_is_refused_with_a_reason() {
        let groups: [&[&str]; 12] = [
            &["Privileged"],
            &["CapAdd"],
            &["Devices", "DeviceCgroupRules"],
            &["PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode"],
            &["SecurityOpt"],
            &["VolumeDriver"],
            &["GroupAdd"],
            &["Runtime"],
            &["LogConfig"],
            &["CpuShares", "CpuQuota", "CpuPeriod", "CpusetCpus"],
            &["StorageOpt", "Sysctls", "CgroupParent", "OomScoreAdj"],
            &["Anything"],
        ];
        let of = |field: &str| reason(&format!("HostConfig.{field}")).english();
        let told: std::collections::BTreeSet<&str> = groups.iter().map(|group| of(group[0])).collect();
        assert_eq!(told.len(), groups.len());
        for group in groups {
            assert!(group.iter().all(|field| of(field) == of(group[0])), "{group:?}");
        }
        assert!(told.iter().all(|reason| reason.contains(' ')) && of("Anything") == "it is not served");
    }
}
