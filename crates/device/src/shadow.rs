//! Shadows and desired values: what an update makes of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::{Desired, Problem, ProblemKind, Shadow, ShadowAsk};

/// Names in a shadow, and desired values of a device: at most so many each.
pub const NAMES_MAX: usize = 1000;

impl Shadow {
    /// What the device wants of its shadow at `now_ms`; whether it is changed by that.
    pub fn ask(&mut self, ask: ShadowAsk, now_ms: i64) -> Result<bool, Problem> {
        match ask {
            ShadowAsk::Get => return Ok(false),
            ShadowAsk::Update { reported, version, clear_desired } => {
                self.check_version(version)?;
                let mut merged = self.reported.clone();
                for (name, value) in reported {
                    match value {
                        Some(value) => drop(merged.insert(name, (value, now_ms))),
                        None => drop(merged.remove(&name)),
                    }
                }
                bounded(merged.len())?;
                self.reported = merged;
                if clear_desired {
                    self.desired.clear();
                }
                self.set_version(version);
            }
            ShadowAsk::Delete { names, version } => {
                self.check_version(version)?;
                match names {
                    Some(names) => names.iter().for_each(|name| drop(self.reported.remove(name))),
                    None => self.reported.clear(),
                }
                self.set_version(version);
            }
        }
        self.at_ms = now_ms;
        Ok(true)
    }

    /// What is desired of the device: a value, or nothing any more (`None`).
    pub fn desire(&mut self, desired: &[(String, Option<Json>)], now_ms: i64) -> Result<(), Problem> {
        let mut merged = self.desired.clone();
        for (name, value) in desired {
            match value {
                Some(value) => drop(merged.insert(name.clone(), (value.clone(), now_ms))),
                None => drop(merged.remove(name)),
            }
        }
        bounded(merged.len())?;
        self.desired = merged;
        self.version = self.version.saturating_add(1);
        self.at_ms = now_ms;
        Ok(())
    }

    /// All of it.
    pub fn to_json(&self) -> Json {
        let side = |values: &BTreeMap<String, (Json, i64)>| {
            let member =
                |(name, (value, at_ms)): (&String, &(Json, i64))| (name.clone(), json!([value, at_ms]));
            Json::Object(values.iter().map(member).collect())
        };
        json!({
            "reported": side(&self.reported),
            "desired": side(&self.desired),
            "version": self.version,
            "at_ms": self.at_ms,
        })
    }

    /// The shadow that [`Shadow::to_json`] has written; `None` if it has not.
    pub fn of_json(json: &Json) -> Option<Shadow> {
        let side = |name: &str| {
            let member = |(name, pair): (&String, &Json)| {
                Some((name.clone(), (pair.get(0)?.clone(), pair.get(1)?.as_i64()?)))
            };
            json.get(name)?.as_object()?.iter().map(member).collect::<Option<BTreeMap<_, _>>>()
        };
        Some(Shadow {
            reported: side("reported")?,
            desired: side("desired")?,
            version: json.get("version")?.as_i64()?,
            at_ms: json.get("at_ms")?.as_i64()?,
        })
    }

    /// -1 begins anew, everything else has to be larger.
    fn check_version(&self, version: i64) -> Result<(), Problem> {
        if version == -1 || version > self.version {
            return Ok(());
        }
        let message = format!("version {version} is not larger than {}, which the shadow has", self.version);
        Err(Problem::new(ProblemKind::OldVersion, message))
    }

    fn set_version(&mut self, version: i64) {
        self.version = version.max(0);
    }
}

/// The desired values of a device, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredValues {
    /// What is desired now.
    pub values: BTreeMap<String, Desired>,
    /// The last version of names that are not desired now: versions go on where they were.
    last: BTreeMap<String, u64>,
}

impl DesiredValues {
    /// Sets and removes desired values (`None`).
    pub fn set(&mut self, desired: &[(String, Option<Json>)]) -> Result<(), Problem> {
        let mut next = self.clone();
        for (name, value) in desired {
            match value {
                Some(value) => {
                    let version = next.version(name).saturating_add(1);
                    next.last.remove(name);
                    next.values.insert(name.clone(), Desired { value: value.clone(), version });
                }
                None => next.forget(name),
            }
        }
        bounded(next.values.len())?;
        *self = next;
        Ok(())
    }

    /// Removes desired values, where a version is given only if it is that one. Whether anything changed.
    pub fn delete(&mut self, names: &[(String, Option<u64>)]) -> bool {
        let before = self.values.len();
        for (name, version) in names {
            let fits = |desired: &Desired| version.is_none_or(|version| version == desired.version);
            if self.values.get(name).is_some_and(fits) {
                self.forget(name);
            }
        }
        self.values.len() != before
    }

    /// Those of these names; all if none is named.
    pub fn of(&self, names: &[String]) -> BTreeMap<String, Desired> {
        let wanted = |name: &String| names.is_empty() || names.contains(name);
        let some = self.values.iter().filter(|(name, _)| wanted(name));
        some.map(|(name, desired)| (name.clone(), desired.clone())).collect()
    }

    /// All of it.
    pub fn to_json(&self) -> Json {
        let values = self.values.iter().map(|(name, desired)| {
            (name.clone(), json!({"value": desired.value, "version": desired.version}))
        });
        json!({"values": values.collect::<Map<_, _>>(), "last": self.last})
    }

    /// What [`DesiredValues::to_json`] has written; `None` if it has not.
    pub fn of_json(json: &Json) -> Option<DesiredValues> {
        let value = |(name, desired): (&String, &Json)| {
            let version = desired.get("version")?.as_u64()?;
            Some((name.clone(), Desired { value: desired.get("value")?.clone(), version }))
        };
        let last = |(name, version): (&String, &Json)| Some((name.clone(), version.as_u64()?));
        Some(DesiredValues {
            values: json.get("values")?.as_object()?.iter().map(value).collect::<Option<_>>()?,
            last: json.get("last")?.as_object()?.iter().map(last).collect::<Option<_>>()?,
        })
    }

    fn version(&self, name: &str) -> u64 {
        let now = self.values.get(name).map(|desired| desired.version);
        now.or_else(|| self.last.get(name).copied()).unwrap_or(0)
    }

    fn forget(&mut self, name: &str) {
        if let Some(desired) = self.values.remove(name) {
            if self.last.len() >= NAMES_MAX {
                self.last.pop_first();
            }
            self.last.insert(name.to_owned(), desired.version);
        }
    }
}

fn bounded(names: usize) -> Result<(), Problem> {
    if names > NAMES_MAX {
        return Err(Problem::new(ProblemKind::TooMany, format!("more than {NAMES_MAX} names")));
    }
    Ok(())
}
