//! A policy in a stored state is its text, and is read through the policy's own door.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::policy::Policy;

pub(super) fn serialize<S: Serializer>(policy: &Option<Policy>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = policy.as_ref().map(|p| String::from_utf8_lossy(p.bytes()));
    text.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Policy>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|t| Policy::parse(t.as_bytes())).transpose().map_err(serde::de::Error::custom)
}
