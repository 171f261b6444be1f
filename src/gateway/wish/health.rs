//! `Healthcheck`: the command that an engine runs in a container again and again.

use super::refused::WishError;
use super::words::{Words, command};
use crate::protocol::told::told;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// A health check. Without a `Test` it is the image's, with these numbers where they are not zero. Times are nanoseconds, as
/// in Docker's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::gateway) struct Health {
    #[serde(deserialize_with = "or_default")]
    test: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    interval: i64,
    #[serde(deserialize_with = "or_default")]
    timeout: i64,
    #[serde(deserialize_with = "or_default")]
    start_period: i64,
    /// From API 1.44 on; clients of an older engine refuse to send it.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    start_interval: i64,
    #[serde(deserialize_with = "or_default")]
    retries: i64,
}

/// Null is as good as absent: the SDK for Python sends it.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(field: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(field)?.unwrap_or_default())
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A check each second for ever is a load on the host: five seconds apart at the least, in nanoseconds.
const SHORTEST_INTERVAL: i64 = 5_000_000_000;

/// What becomes of an image's health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum HealthWish {
    /// There is none.
    Off,
    /// This is laid over it.
    Over(Health),
}

impl Default for HealthWish {
    fn default() -> Self {
        Self::Over(Health::default())
    }
}

/// The caller's words for it.
pub(super) fn health(asked: Health, warnings: &mut Vec<String>) -> Result<HealthWish, WishError> {
    if asked.is_off() {
        return Ok(HealthWish::Off);
    }
    asked.checked("Healthcheck", warnings).map(HealthWish::Over)
}

impl HealthWish {
    /// The same where the image has this one. The engine would take what is not said from there: so all of it is said.
    pub(super) fn of_image(self, image: Option<&Value>, warnings: &mut Vec<String>) -> Self {
        let (Self::Over(own), Some(image)) = (&self, image) else { return self };
        let said = Health::deserialize(image).ok();
        // With a test of the caller's own the engine takes each number that is not said even from an image's that is off.
        if own.test.is_empty() && said.as_ref().is_some_and(|said| said.test.is_empty() || said.is_off()) {
            return self;
        }
        let mut own = own.clone();
        match said.and_then(|said| own.over(said).checked("the image's HEALTHCHECK", warnings).ok()) {
            Some(both) => Self::Over(both),
            None if own.test.is_empty() => {
                warnings.push("the image's HEALTHCHECK is not understood, and is off".to_owned());
                Self::Off
            }
            // A number that the engine would take from the image is none.
            None => {
                own.interval = own.interval.max(SHORTEST_INTERVAL);
                own.start_interval = own.start_interval.max(SHORTEST_INTERVAL);
                Self::Over(own)
            }
        }
    }

    /// As the engine is told it; nothing where there is none to begin with.
    pub(in crate::gateway) fn body(&self) -> Option<Value> {
        match self {
            Self::Off => Some(json!({ "Test": ["NONE"] })),
            Self::Over(health) => (!health.test.is_empty()).then(|| json!(health)),
        }
    }
}

impl Health {
    fn is_off(&self) -> bool {
        self.test.first().is_some_and(|word| word == "NONE")
    }

    fn over(&self, image: Self) -> Self {
        let number = |own: i64, images: i64| if own == 0 { images } else { own };
        Self {
            test: if self.test.is_empty() { image.test } else { self.test.clone() },
            interval: number(self.interval, image.interval),
            timeout: number(self.timeout, image.timeout),
            start_period: number(self.start_period, image.start_period),
            start_interval: number(self.start_interval, image.start_interval),
            retries: number(self.retries, image.retries),
        }
    }

    fn checked(mut self, whose: &str, warnings: &mut Vec<String>) -> Result<Self, WishError> {
        let numbers = [self.interval, self.timeout, self.start_period, self.start_interval, self.retries];
        let sane = numbers.into_iter().all(|number| number >= 0);
        let words = match self.test.split_first() {
            Some((kind, words)) if kind == "CMD" => words,
            Some((kind, line @ [_])) if kind == "CMD-SHELL" => line,
            _ => &[],
        };
        // Docker 20.10 itself falls over a CMD without a word after it.
        if !sane || (!self.test.is_empty() && words.first().is_none_or(String::is_empty)) {
            return Err(WishError::Bad(told!(
                "Healthcheck: Test is CMD and a command, or CMD-SHELL and one line, and no number is negative"
            )));
        }
        if !self.test.is_empty() {
            command("Healthcheck.Test", Some(Words::List(self.test.clone())))?;
        }
        for (interval, name) in
            [(&mut self.interval, "Interval"), (&mut self.start_interval, "StartInterval")]
        {
            if (1..SHORTEST_INTERVAL).contains(interval) {
                *interval = SHORTEST_INTERVAL;
                warnings.push(format!("{whose}.{name} was raised to 5s, the least here"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// What the engine is told where a caller says this and an image that, and how often something is said about it.
    fn both(asked: Value, image: Value) -> (Option<Value>, usize) {
        let mut warnings = Vec::new();
        let wish = health(serde_json::from_value(asked).unwrap(), &mut warnings).unwrap();
        let body = wish.of_image(Some(&image).filter(|image| !image.is_null()), &mut warnings).body();
        (body, warnings.len())
    }

    fn told(test: &[&str], interval: i64, retries: i64) -> Option<Value> {
        Some(json!({"Test": test, "Interval": interval, "Timeout": 0, "StartPeriod": 0, "Retries": retries}))
    }

    #[test]
    fn an_images_health_check_is_as_in_docker_and_not_too_often() {
        let image = || json!({"Test": ["CMD", "x"], "Interval": SECOND, "Retries": 2});
        assert_eq!(both(json!({}), Value::Null), (None, 0));
        assert_eq!(both(json!({}), json!({})), (None, 0));
        assert_eq!(both(json!({}), json!({"Test": ["NONE"]})), (None, 0));
        assert_eq!(both(json!({"Test": ["NONE"]}), image()), (Some(json!({"Test": ["NONE"]})), 0));
        assert_eq!(both(json!({}), image()), (told(&["CMD", "x"], 5 * SECOND, 2), 1));
        assert_eq!(both(json!({"Interval": 9 * SECOND}), image()), (told(&["CMD", "x"], 9 * SECOND, 2), 0));
        // The engine would take the interval from the image.
        assert_eq!(both(json!({"Test": ["CMD", "y"]}), image()), (told(&["CMD", "y"], 5 * SECOND, 2), 1));
        assert_eq!(both(json!({"Interval": 1}), json!({})), (None, 1));
        for off in [
            json!({"Test": ["NONE"], "Interval": 1}),
            json!({"Interval": 1}),
            json!({"Test": [], "Interval": 1}),
        ] {
            assert_eq!(both(json!({"Test": ["CMD", "y"]}), off), (told(&["CMD", "y"], 5 * SECOND, 0), 1));
        }
    }

    #[test]
    fn one_that_is_not_understood_is_off() {
        for image in [
            json!({"Test": ["CMD"]}),
            json!({"Test": ["CMD", "x"], "Interval": -1}),
            json!({"Test": ["CMD", "x"], "Interval": "1"}),
            json!({"Test": ["CMD", "x"], "Interval": 1, "Often": true}),
        ] {
            assert_eq!(both(json!({}), image.clone()), (Some(json!({"Test": ["NONE"]})), 1), "{image}");
            let (own, _) = both(json!({"Test": ["CMD", "y"]}), image.clone());
            let own = own.unwrap();
            assert_eq!(own["Test"], json!(["CMD", "y"]));
            // The engine takes no number of the image's but a sane one.
            let interval = own["Interval"].as_i64().unwrap();
            assert!(interval == 5 * SECOND || image.get("Interval").is_none() && interval == 0, "{image}");
        }
    }
}
