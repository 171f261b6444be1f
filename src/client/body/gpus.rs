//! `--gpus`, in the grammar of Docker's client.

use super::csv;
use crate::client::error::Error;
use crate::protocol::told::told;
use bollard_stubs::models::DeviceRequest;
use std::collections::HashMap;

/// `N`, `all`, or `KEY=VALUE` with commas between: `device=0,2`, `count`, `driver`, `capabilities`, `options`. Docker wants a
/// list of devices in quotes of its own; here whatever follows `device=` without a key is one more.
pub(crate) fn request(word: &str) -> Result<DeviceRequest, Error> {
    let wrong = || Error::usage(told!("--gpus {word} is not understood, say a number, all or device=0,1"));
    let (mut request, mut seen) = (DeviceRequest::default(), Vec::new());
    for field in csv::fields(word).ok_or_else(wrong)? {
        let (key, value) = match field.split_once('=') {
            Some(pair) => pair,
            None => ("count", field.as_str()),
        };
        match (key, &mut request.device_ids) {
            ("count", Some(devices)) if !field.contains('=') => {
                devices.push(value.to_owned());
                continue;
            }
            _ if seen.contains(&key.to_owned()) => return Err(wrong()),
            ("count", _) => request.count = Some(count(value).ok_or_else(wrong)?),
            ("device", _) if !value.is_empty() => request.device_ids = Some(list(value)),
            ("driver", _) => request.driver = Some(value.to_owned()),
            ("capabilities", _) => {
                request.capabilities = Some(vec![[list(value), vec!["gpu".to_owned()]].concat()]);
            }
            ("options", _) => request.options = Some(options(value).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        }
        seen.push(key.to_owned());
    }
    if request.count.is_none() && request.device_ids.is_none() {
        request.count = Some(1);
    }
    request.driver.get_or_insert_default();
    request.capabilities.get_or_insert_with(|| vec![vec!["gpu".to_owned()]]);
    Ok(request)
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::to_owned).collect()
}

fn count(word: &str) -> Option<i64> {
    if word == "all" { Some(-1) } else { word.parse::<u32>().ok().map(i64::from) }
}

fn options(value: &str) -> Option<HashMap<String, String>> {
    let pair = |field: String| field.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    csv::fields(value)?.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_a_number_all_or_devices() {
        let asked = |word: &str| request(word);
        assert_eq!(asked("2").unwrap().count, Some(2));
        assert_eq!(asked("count=2").unwrap().count, Some(2));
        assert_eq!(asked("all").unwrap().count, Some(-1));
        for word in ["\"device=GPU-a,GPU-b\"", "device=GPU-a,GPU-b", "device=GPU-a,\"GPU-b\""] {
            let asked = asked(word).unwrap();
            assert_eq!(
                (asked.device_ids, asked.count),
                (Some(vec!["GPU-a".to_owned(), "GPU-b".to_owned()]), None)
            );
        }
        for bad in
            ["", "two", "-1", "device=", "1,2", "count=1,count=1", "gpu=1", "\"device=0", "capabilities"]
        {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_docker_takes_beside_them_is_sent_as_docker_sends_it() {
        let asked = request("\"device=0,2\",\"capabilities=utility,compute\",driver=nvidia").unwrap();
        assert_eq!(asked.device_ids, Some(vec!["0".to_owned(), "2".to_owned()]));
        assert_eq!(asked.capabilities, Some(vec![["utility", "compute", "gpu"].map(str::to_owned).to_vec()]));
        assert_eq!((asked.driver.as_deref(), asked.count), (Some("nvidia"), None));
        // Without a word on how many, one.
        let asked = request("capabilities=utility").unwrap();
        assert_eq!((asked.count, asked.driver.as_deref()), (Some(1), Some("")));
        let options = request("all,\"options=a=b,c=d\"").unwrap().options.unwrap();
        assert_eq!((options["a"].as_str(), options["c"].as_str()), ("b", "d"));
    }
}
