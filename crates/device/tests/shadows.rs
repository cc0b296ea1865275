//! Shadows and desired values against naive models.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::collections::BTreeMap;

use hexmq_device::{DesiredValues, Shadow, ShadowAsk};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

#[derive(Clone, Debug)]
enum Step {
    Update(Vec<(String, Option<u8>)>, i64, bool),
    Delete(Option<Vec<String>>, i64),
    Desire(Vec<(String, Option<u8>)>),
}

fn names() -> impl Strategy<Value = Vec<(String, Option<u8>)>> {
    prop::collection::vec(("[a-c]", prop::option::of(any::<u8>())), 0..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (names(), -1_i64..20, any::<bool>())
            .prop_map(|(names, version, clear)| Step::Update(names, version, clear)),
        (prop::option::of(prop::collection::vec("[a-c]", 0..3)), -1_i64..20)
            .prop_map(|(names, version)| Step::Delete(names, version)),
        names().prop_map(Step::Desire),
    ];
    prop::collection::vec(step, 0..30)
}

fn shown(side: &BTreeMap<String, (Json, i64)>) -> BTreeMap<String, Json> {
    side.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
}

proptest! {
    #[test]
    fn a_shadow_is_what_was_told_of_it(steps in steps()) {
        let mut real = Shadow::default();
        let (mut reported, mut desired) = (BTreeMap::new(), BTreeMap::new());
        let mut version = 0_i64;
        for (at, step) in steps.into_iter().enumerate() {
            let now = at as i64;
            match step {
                Step::Update(names, given, clear_desired) => {
                    let ask = ShadowAsk::Update {
                        reported: names.iter().map(|(name, value)| (name.clone(), value.map(|value| json!(value)))).collect(),
                        version: given,
                        clear_desired,
                    };
                    let taken = given == -1 || given > version;
                    prop_assert_eq!(real.ask(ask, now).is_ok(), taken);
                    if taken {
                        // The last of several values of a name counts.
                        for (name, value) in names.into_iter().collect::<BTreeMap<_, _>>() {
                            match value {
                                Some(value) => drop(reported.insert(name, json!(value))),
                                None => drop(reported.remove(&name)),
                            }
                        }
                        if clear_desired {
                            desired.clear();
                        }
                        version = given.max(0);
                    }
                }
                Step::Delete(names, given) => {
                    let taken = given == -1 || given > version;
                    let ask = ShadowAsk::Delete { names: names.clone(), version: given };
                    prop_assert_eq!(real.ask(ask, now).is_ok(), taken);
                    if taken {
                        reported.retain(|name, _| names.as_ref().is_some_and(|names| !names.contains(name)));
                        version = given.max(0);
                    }
                }
                Step::Desire(names) => {
                    let names: Vec<_> = names.into_iter().map(|(name, value)| (name, value.map(|value| json!(value)))).collect();
                    real.desire(&names, now).unwrap();
                    for (name, value) in names {
                        match value {
                            Some(value) => drop(desired.insert(name, value)),
                            None => drop(desired.remove(&name)),
                        }
                    }
                    version += 1;
                }
            }
            prop_assert_eq!(shown(&real.reported), reported.clone());
            prop_assert_eq!(shown(&real.desired), desired.clone());
            prop_assert_eq!(real.version, version);
            prop_assert_eq!(real.ask(ShadowAsk::Get, now), Ok(false));
            prop_assert_eq!(Shadow::of_json(&real.to_json()), Some(real.clone()));
        }
    }

    /// Versions of a name count every value it ever had, also across its removal.
    #[test]
    fn desired_values_count_their_changes(steps in prop::collection::vec((names(), any::<bool>()), 0..30)) {
        let mut real = DesiredValues::default();
        let mut values: BTreeMap<String, u8> = BTreeMap::new();
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (names, by_version) in steps {
            if by_version {
                for (name, value) in names {
                    let version = counts.get(&name).copied().unwrap_or(0) + u64::from(value.is_none());
                    let fits = value.is_some() && values.contains_key(&name);
                    prop_assert_eq!(real.delete(&[(name.clone(), Some(version))]), fits);
                    if fits {
                        values.remove(&name);
                    }
                }
            } else {
                let desired: Vec<_> = names.iter().map(|(name, value)| (name.clone(), value.map(|value| json!(value)))).collect();
                real.set(&desired).unwrap();
                for (name, value) in names {
                    match value {
                        Some(value) => {
                            values.insert(name.clone(), value);
                            *counts.entry(name).or_default() += 1;
                        }
                        None => drop(values.remove(&name)),
                    }
                }
            }
            let shown: BTreeMap<_, _> = real.of(&[]).into_iter().map(|(name, desired)| (name, (desired.value, desired.version))).collect();
            let expected: BTreeMap<_, _> = values.iter().map(|(name, value)| (name.clone(), (json!(value), counts[name]))).collect();
            prop_assert_eq!(shown, expected);
            prop_assert_eq!(DesiredValues::of_json(&real.to_json()), Some(real.clone()));
        }
    }
}

#[test]
fn a_shadow_has_a_bound_and_takes_nothing_beyond_it() {
    let mut shadow = Shadow::default();
    let many = |count: usize| (0..count).map(|at| (at.to_string(), Some(json!(1)))).collect();
    let update = |count, version| ShadowAsk::Update { reported: many(count), version, clear_desired: false };
    shadow.ask(update(1000, 1), 0).unwrap();
    shadow.ask(update(1001, 2), 0).unwrap_err();
    assert_eq!((shadow.reported.len(), shadow.version), (1000, 1));
}
