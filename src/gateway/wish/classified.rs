//! Holds that every field of Docker's create and exec models is classified: read, or known to be zero only.

use super::{body, endpoint, exec, host, network};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// Catches the field names that a derived `Deserialize` asks for.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("seen"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// What a model of Docker's calls its fields.
pub(super) fn fields_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    assert!(T::deserialize(FieldNames(&mut names)).is_err());
    assert!(!names.is_empty(), "the model shows no fields");
    names
}

/// Known to Docker, never served: each must be at its zero value.
const CONFIG_ZERO: &[&str] = &["ArgsEscaped", "Domainname", "NetworkDisabled", "OnBuild", "Shell"];

const HOST_ZERO: &[&str] = &[
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeightDevice",
    "CapAdd",
    "Cgroup",
    "CgroupParent",
    "CgroupnsMode",
    "CpuCount",
    "CpuPercent",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpusetMems",
    "DeviceCgroupRules",
    "Devices",
    "IOMaximumBandwidth",
    "IOMaximumIOps",
    "IpcMode",
    "Isolation",
    "KernelMemoryTCP",
    "MaskedPaths",
    "OomKillDisable",
    "PidMode",
    "Privileged",
    "ReadonlyPaths",
    "Runtime",
    "StorageOpt",
    "UTSMode",
    "UsernsMode",
    "VolumeDriver",
];

const ENDPOINT_ZERO: &[&str] = &[
    "DNSNames",
    "DriverOpts",
    "EndpointID",
    "Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "GwPriority",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "Links",
    "NetworkID",
];

const EXEC_ZERO: &[&str] = &["Privileged"];

fn every_field_is_classified<T: for<'de> Deserialize<'de>>(served: &[&str], zero: &[&str]) {
    for field in fields_of::<T>() {
        let classes = usize::from(served.contains(field)) + usize::from(zero.contains(field));
        assert_eq!(classes, 1, "{field} is in {classes} classes, it belongs in exactly one");
    }
}

#[test]
fn create_and_exec_are_classified() {
    use bollard_stubs::models::{
        ContainerCreateBody, EndpointSettings, ExecConfig, HostConfig, NetworkingConfig,
    };
    every_field_is_classified::<ContainerCreateBody>(body::SERVED, CONFIG_ZERO);
    every_field_is_classified::<HostConfig>(host::SERVED, HOST_ZERO);
    every_field_is_classified::<NetworkingConfig>(network::NETWORKING_SERVED, &[]);
    every_field_is_classified::<EndpointSettings>(endpoint::SERVED, ENDPOINT_ZERO);
    every_field_is_classified::<ExecConfig>(exec::SERVED, EXEC_ZERO);
}
