//! Time as the ledger writes it: UTC, whole seconds, one text form.
//!
//! Owns: the text `2026-11-23T00:00:00Z` and its strict reading. The only user of chrono.
//! Must not: read the clock (that is `cli/`'s), nor decide anything: time is written by whoever signs,
//! so no key begins or ends by it (DESIGN section 7).
//!
//! ```
//! use fix7_ledger::time::Timestamp;
//! let t: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
//! assert_eq!(t.unix_seconds(), 1_795_392_000);
//! assert!("2026-11-23t00:00:00Z".parse::<Timestamp>().is_err(), "one form only");
//! ```

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in whole seconds of UTC, between the years 1970 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Why a text is not a timestamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a timestamp: expected YYYY-MM-DDTHH:MM:SSZ, found `{0}`")]
pub struct TimeError(String);

/// 9999-12-31T23:59:59Z: the last second that the text form can hold.
const LAST_SECOND: i64 = 253_402_300_799;

impl Timestamp {
    /// From seconds since 1970-01-01T00:00:00Z; `None` outside the text form's range.
    pub fn from_unix_seconds(seconds: i64) -> Option<Timestamp> {
        (0..=LAST_SECOND).contains(&seconds).then_some(Timestamp(seconds))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> i64 {
        self.0
    }

    /// The calendar day, `YYYY-MM-DD`.
    pub fn date(self) -> String {
        self.to_string()[..10].to_owned()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment =
            DateTime::<Utc>::from_timestamp(self.0, 0).expect("the range was checked when it was made");
        f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;
    /// chrono accepts more than one text for a moment, so the moment is written again and compared.
    fn from_str(text: &str) -> Result<Timestamp, TimeError> {
        let refused = || TimeError(text.chars().take(40).flat_map(char::escape_default).collect());
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| refused())?;
        let time = Timestamp::from_unix_seconds(moment.timestamp()).ok_or_else(refused)?;
        if time.to_string() == text { Ok(time) } else { Err(refused()) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
            "description": "UTC, whole seconds"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_that_chrono_accepts_and_we_do_not() {
        for text in [
            "2026-11-23t00:00:00Z",
            "2026-11-23T00:00:00z",
            "2026-11-23 00:00:00Z",
            "2026-11-23T00:00:60Z",
            "2026-11-23T00:00:00-00:00",
            "2026-11-23T00:00:00+00:00",
            "2026-11-23T00:00:00.5Z",
            "+12026-11-23T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-23T02:00:00+02:00",
            "",
            "2026-02-30T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        for text in ["1970-01-01T00:00:00Z", "2026-11-23T23:59:59Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(text.parse::<Timestamp>().map(|t| t.to_string()), Ok(text.to_owned()));
        }
    }
}
