//! The addresses of a network: `--subnet`, `--gateway` and `--ip-range`. Whether they are the caller's to have the policy's
//! pool says.

use super::endpoint::ipv4;
use super::fields::Fields;
use super::refused::WishError;
use super::words::at_most;
use crate::policy::Pool;
use crate::protocol::told::told;
use serde_json::Value;
use std::net::Ipv4Addr;

const FIELD: &str = "IPAM.Config";
const SERVED: &[&str] = &["AuxiliaryAddresses", "Gateway", "IPRange", "Subnet"];

/// One block of addresses, whose first is the gateway's unless another is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Range {
    pub(in crate::gateway) subnet: Pool,
    pub(in crate::gateway) gateway: Option<Ipv4Addr>,
    /// What containers without a wish of their own are given of it.
    pub(in crate::gateway) given: Option<Pool>,
}

pub(super) fn range(configs: Option<Vec<Value>>) -> Result<Option<Range>, WishError> {
    let mut configs = configs.unwrap_or_default();
    at_most(FIELD, configs.len(), 1)?;
    let Some(config) = configs.pop() else { return Ok(None) };
    let mut fields = Fields::of(FIELD, config, SERVED)?;
    let subnet: String = fields.take("Subnet")?;
    let gateway = ipv4("IPAM.Config.Gateway", &fields.take::<String>("Gateway")?)?;
    let given = some(&fields.take::<String>("IPRange")?)?;
    // What Docker calls so is for drivers.
    if !super::zero::is_zero(&fields.raw("AuxiliaryAddresses")) {
        return Err(WishError::not_allowed(
            "IPAM.Config.AuxiliaryAddresses",
            told!("no address is kept from containers"),
        ));
    }
    fields.rest_is_zero()?;
    let Some(subnet) = some(&subnet)? else {
        return match (gateway, given) {
            (None, None) => Ok(None),
            _ => Err(WishError::Bad(told!("{FIELD}: a gateway and a range are those of a subnet, name it"))),
        };
    };
    let range = Range { subnet, gateway, given };
    if gateway.is_some_and(|gateway| !subnet.has_host(gateway)) {
        return Err(WishError::Bad(told!("{FIELD}: the gateway is not an address of {subnet}")));
    }
    if given.is_some_and(|given| !subnet.contains(given)) {
        return Err(WishError::Bad(told!("{FIELD}: the range is not a part of {subnet}")));
    }
    Ok(Some(range))
}

/// A block; an empty word asks for none.
fn some(word: &str) -> Result<Option<Pool>, WishError> {
    match word {
        "" => Ok(None),
        word => word.parse().map(Some).map_err(|_| {
            let what =
                told!("{FIELD}: {word:?} is not a block of private IPv4 addresses such as 10.1.2.0/24");
            WishError::Bad(what)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Subnet, gateway and range.
    type Told = (String, Option<String>, Option<String>);

    fn of(config: Value) -> Result<Option<Told>, String> {
        let range = range(Some(vec![config])).map_err(|error| error.to_string())?;
        let text = |range: Range| {
            let (gateway, given) = (range.gateway.map(|gateway| gateway.to_string()), range.given);
            (range.subnet.to_string(), gateway, given.map(|given| given.to_string()))
        };
        Ok(range.map(text))
    }

    #[test]
    fn a_range_is_a_block_and_what_lies_in_it() {
        let is = |subnet: &str, gateway: Option<&str>, given: Option<&str>| {
            Ok(Some((subnet.to_owned(), gateway.map(str::to_owned), given.map(str::to_owned))))
        };
        assert_eq!(range(None).unwrap(), None);
        assert_eq!(range(Some(vec![])).unwrap(), None);
        assert_eq!(of(json!({})), Ok(None));
        assert_eq!(
            of(json!({"Subnet": "10.1.2.0/24", "AuxiliaryAddresses": {}})),
            is("10.1.2.0/24", None, None)
        );
        assert_eq!(
            of(json!({"Subnet": "10.1.2.0/24", "Gateway": "10.1.2.254", "IPRange": "10.1.2.128/25"})),
            is("10.1.2.0/24", Some("10.1.2.254"), Some("10.1.2.128/25"))
        );
        for bad in [
            json!({"Subnet": "10.1.2.1/24"}),
            json!({"Subnet": "10.1.2.0"}),
            json!({"Subnet": "10.1.2.0/31"}),
            json!({"Subnet": "fd00::/64"}),
            json!({"Subnet": "8.8.8.0/24"}),
            json!({"Gateway": "10.1.2.1"}),
            json!({"Subnet": "10.1.2.0/24", "Gateway": "10.1.3.1"}),
            json!({"Subnet": "10.1.2.0/24", "Gateway": "10.1.2.0"}),
            json!({"Subnet": "10.1.2.0/24", "Gateway": "10.1.2.255"}),
            json!({"Subnet": "10.1.2.0/24", "IPRange": "10.1.0.0/16"}),
            json!({"Subnet": "10.1.2.0/24", "AuxiliaryAddresses": {"router": "10.1.2.5"}}),
            json!({"Subnet": "10.1.2.0/24", "Driver": "x"}),
        ] {
            assert!(of(bad.clone()).unwrap_err().contains("IPAM.Config"), "{bad}");
        }
        assert!(range(Some(vec![json!({}), json!({})])).is_err());
    }
}
