//! `HostConfig.DeviceRequests`: GPUs, by number or by UUID, and nothing else.

use super::refused::WishError;
use super::words::at_most;
use crate::protocol::card::CardId;
use crate::protocol::told::told;
use serde::Deserialize;
use std::collections::BTreeMap;

const FIELD: &str = "HostConfig.DeviceRequests";

/// One request as Docker's clients send it for `--gpus`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DeviceRequest {
    driver: Option<String>,
    count: Option<i64>,
    #[serde(rename = "DeviceIDs")]
    device_ids: Option<Vec<String>>,
    capabilities: Option<Vec<Vec<String>>>,
    options: Option<BTreeMap<String, String>>,
}

/// What NVIDIA's driver can do in a container; it is given all the image asks for anyhow.
const CAPABILITIES: [&str; 8] =
    ["gpu", "nvidia", "compute", "utility", "video", "graphics", "display", "compat32"];

/// Which cards are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum CardWish {
    Count(usize),
    All,
    These(Vec<CardId>),
}

/// The wish for cards, or none.
pub(super) fn wish(requests: Option<Vec<DeviceRequest>>) -> Result<Option<CardWish>, WishError> {
    let mut requests = requests.unwrap_or_default().into_iter();
    let Some(request) = requests.next() else { return Ok(None) };
    if requests.next().is_some() {
        return Err(WishError::not_allowed(FIELD, told!("ask for gpus once")));
    }
    let driver = request.driver.unwrap_or_default();
    let words: Vec<String> = request.capabilities.unwrap_or_default().into_iter().flatten().collect();
    if !matches!(driver.as_str(), "" | "nvidia")
        || !words.iter().any(|word| word == "gpu")
        || !words.iter().all(|word| CAPABILITIES.contains(&word.as_str()))
        || request.options.is_some_and(|options| !options.is_empty())
    {
        return Err(WishError::not_allowed(
            FIELD,
            told!("gpus are the only devices there are, ask for them with --gpus"),
        ));
    }
    let devices = request.device_ids.unwrap_or_default();
    at_most(FIELD, devices.len(), 64)?;
    match (request.count.unwrap_or(0), devices.is_empty()) {
        (0, false) => cards(devices).map(Some),
        (-1, true) => Ok(Some(CardWish::All)),
        (0, true) => Ok(None),
        (count, true) => usize::try_from(count)
            .ok()
            .filter(|count| *count <= 64)
            .map(|count| Some(CardWish::Count(count)))
            .ok_or_else(|| WishError::Bad(told!("{FIELD}: {count} is not a number of gpus"))),
        (_, false) => Err(WishError::Bad(told!("{FIELD}: say how many gpus or which, not both"))),
    }
}

fn cards(words: Vec<String>) -> Result<CardWish, WishError> {
    let mut cards: Vec<CardId> = words
        .iter()
        .map(|word| word.parse().map_err(|error| WishError::Bad(told!("{FIELD}: {error}"))))
        .collect::<Result<_, _>>()?;
    cards.sort();
    cards.dedup();
    Ok(CardWish::These(cards))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn asked(request: Value) -> Result<Option<CardWish>, String> {
        let requests = serde_json::from_value(json!([request])).map_err(|error| error.to_string())?;
        wish(Some(requests)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_dockers_client_sends_is_understood() {
        let gpu = json!([["gpu"]]);
        assert_eq!(wish(None).unwrap(), None);
        assert_eq!(
            asked(json!({"Driver": "", "Count": -1, "DeviceIDs": null, "Capabilities": gpu, "Options": {}})),
            Ok(Some(CardWish::All))
        );
        assert_eq!(asked(json!({"Count": 2, "Capabilities": gpu})), Ok(Some(CardWish::Count(2))));
        assert_eq!(asked(json!({"Count": 0, "Capabilities": gpu})), Ok(None));
        let these =
            asked(json!({"DeviceIDs": ["GPU-b", "GPU-a", "GPU-b"], "Capabilities": [["gpu", "compute"]]}));
        assert_eq!(
            these,
            Ok(Some(CardWish::These(vec!["GPU-a".parse().unwrap(), "GPU-b".parse().unwrap()])))
        );
    }

    #[test]
    fn nothing_but_gpus_gets_through() {
        let gpu = json!([["gpu"]]);
        for bad in [
            json!({"Count": 1}),
            json!({"Count": 1, "Capabilities": [["tpu"]]}),
            json!({"Count": 1, "Capabilities": [["gpu", "ngx"]]}),
            json!({"Count": 1, "Driver": "cdi", "Capabilities": gpu}),
            json!({"Count": 1, "Capabilities": gpu, "Options": {"a": "b"}}),
            json!({"Count": -2, "Capabilities": gpu}),
            json!({"Count": 1, "DeviceIDs": ["GPU-a"], "Capabilities": gpu}),
            json!({"DeviceIDs": ["0"], "Capabilities": gpu}),
            json!({"DeviceIDs": ["nvidia.com/gpu=all"], "Capabilities": gpu}),
            json!({"DeviceIDs": ["GPU-a,all"], "Capabilities": gpu}),
            json!({"Count": 1, "Capabilities": gpu, "Privileged": true}),
        ] {
            assert!(asked(bad.clone()).is_err(), "{bad}");
        }
        assert!(wish(Some(vec![DeviceRequest::default(), DeviceRequest::default()])).is_err());
    }
}
