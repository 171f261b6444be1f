//! `HostConfig.DeviceRequests`: GPUs, by number or by UUID, and nothing else.

use super::refused::WishError;
use super::words::at_most;
use crate::protocol::card::CardWord;
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

/// The words that say which devices are meant: these.
const DEVICES: [&str; 2] = ["gpu", "nvidia"];
/// What NVIDIA's driver can do in a container.
const CAPABILITIES: [&str; 7] = ["compute", "compat32", "display", "graphics", "ngx", "utility", "video"];

/// Which cards are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum CardWish {
    Count(usize),
    All,
    These(Vec<CardWord>),
}

/// What is asked of the driver in a container: some of what it can do, or what the image says.
pub(in crate::gateway) type Capabilities = Vec<&'static str>;

/// The wish for cards, or none, and what the driver is to do with them.
pub(super) fn wish(
    requests: Option<Vec<DeviceRequest>>,
) -> Result<Option<(CardWish, Capabilities)>, WishError> {
    let mut requests = requests.unwrap_or_default().into_iter();
    let Some(request) = requests.next() else { return Ok(None) };
    if requests.next().is_some() {
        return Err(WishError::not_allowed(FIELD, told!("ask for gpus once")));
    }
    let driver = request.driver.unwrap_or_default();
    let known = capabilities(&request.capabilities.unwrap_or_default());
    let odd = !matches!(driver.as_str(), "" | "nvidia")
        || request.options.is_some_and(|options| !options.is_empty());
    let Some(known) = known.filter(|_| !odd) else {
        let reason = told!("gpus are the only devices there are, ask for them with --gpus");
        return Err(WishError::not_allowed(FIELD, reason));
    };
    let devices = request.device_ids.unwrap_or_default();
    let cards = cards(request.count.unwrap_or(0), &devices)?;
    Ok(cards.map(|cards| (cards, known)))
}

/// Of the sets of words the first that is known here, as the engine chooses; without those that only say what device.
fn capabilities(sets: &[Vec<String>]) -> Option<Capabilities> {
    let of = |set: &Vec<String>| {
        let known = set.iter().map(|word| {
            let all = DEVICES.iter().chain(&CAPABILITIES);
            all.into_iter().find(|known| *known == word).copied()
        });
        let mut known = known.collect::<Option<Capabilities>>().filter(|known| !known.is_empty())?;
        known.retain(|word| !DEVICES.contains(word));
        known.sort_unstable();
        known.dedup();
        Some(known)
    };
    sets.iter().find_map(of)
}

fn cards(count: i64, devices: &[String]) -> Result<Option<CardWish>, WishError> {
    at_most(FIELD, devices.len(), 64)?;
    match (count, devices.is_empty()) {
        (0, false) => these(devices).map(Some),
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

fn these(words: &[String]) -> Result<CardWish, WishError> {
    let card = |word: &String| word.parse().map_err(|error| WishError::Bad(told!("{FIELD}: {error}")));
    let mut cards: Vec<CardWord> = words.iter().map(card).collect::<Result<_, _>>()?;
    cards.sort();
    cards.dedup();
    Ok(CardWish::These(cards))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn whole(request: Value) -> Result<Option<(CardWish, Capabilities)>, String> {
        let requests = serde_json::from_value(json!([request])).map_err(|error| error.to_string())?;
        wish(Some(requests)).map_err(|error| error.to_string())
    }

    fn asked(request: Value) -> Result<Option<CardWish>, String> {
        Ok(whole(request)?.map(|(cards, _)| cards))
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
            asked(json!({"DeviceIDs": ["GPU-b", "2", "GPU-a", "GPU-b", "0"], "Capabilities": [["gpu"]]}));
        let uuid = |word: &str| CardWord::Uuid(word.parse().unwrap());
        let expected = vec![uuid("GPU-a"), uuid("GPU-b"), CardWord::Number(0), CardWord::Number(2)];
        assert_eq!(these, Ok(Some(CardWish::These(expected))));
    }

    #[test]
    fn the_driver_does_what_is_asked_of_it() {
        let capabilities = |sets: Value| {
            let request = json!({"Driver": "nvidia", "Count": 1, "Capabilities": sets});
            whole(request).ok().flatten().map(|(_, capabilities)| capabilities)
        };
        assert_eq!(capabilities(json!([["gpu"]])), Some(vec![]));
        assert_eq!(capabilities(json!([["nvidia"]])), Some(vec![]));
        assert_eq!(capabilities(json!([["utility", "gpu"]])), Some(vec!["utility"]));
        assert_eq!(
            capabilities(json!([["utility", "compute", "gpu", "ngx", "compute"]])),
            Some(vec!["compute", "ngx", "utility"])
        );
        // One of the sets is enough.
        assert_eq!(capabilities(json!([["tpu"], [], ["gpu", "video"], ["gpu"]])), Some(vec!["video"]));
        for bad in [json!([]), json!([[]]), json!([["gpu", "all"]]), json!([["gpu", "a,b"]])] {
            assert_eq!(capabilities(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn nothing_but_gpus_gets_through() {
        let gpu = json!([["gpu"]]);
        for bad in [
            json!({"Count": 1}),
            json!({"Count": 1, "Capabilities": [["tpu"]]}),
            json!({"Count": 1, "Capabilities": [["gpu", "mig"]]}),
            json!({"Count": 1, "Driver": "cdi", "Capabilities": gpu}),
            json!({"Count": 1, "Capabilities": gpu, "Options": {"a": "b"}}),
            json!({"Count": -2, "Capabilities": gpu}),
            json!({"Count": 1, "DeviceIDs": ["GPU-a"], "Capabilities": gpu}),
            json!({"DeviceIDs": ["0:1"], "Capabilities": gpu}),
            json!({"DeviceIDs": ["all"], "Capabilities": gpu}),
            json!({"DeviceIDs": ["nvidia.com/gpu=all"], "Capabilities": gpu}),
            json!({"DeviceIDs": ["GPU-a,all"], "Capabilities": gpu}),
            json!({"Count": 1, "Capabilities": gpu, "Privileged": true}),
        ] {
            assert!(asked(bad.clone()).is_err(), "{bad}");
        }
        assert!(wish(Some(vec![DeviceRequest::default(), DeviceRequest::default()])).is_err());
    }
}
