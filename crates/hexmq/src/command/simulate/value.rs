//! What a simulated sensor measures: `temp=sine:18..26/60s`.

use std::f64::consts::TAU;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Number, Value, json};

use super::random::Random;
use crate::config::Span;

/// A property and where its values come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Property {
    pub(super) name: String,
    source: Source,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// Up and down between two numbers, once in this time.
    Sine(Range, Duration),
    /// From one number to another in this time, then again.
    Ramp(Range, Duration),
    /// Anywhere between two numbers.
    Random(Range),
    /// Any whole number from one to another.
    Integer(i64, i64),
    /// A step of at most so much from the last value, between two numbers.
    Walk(Range, f64),
    /// `true` with this likelihood.
    Boolean(f64),
    /// One of these.
    Choice(Vec<Value>),
    /// 1, 2, 3 …
    Count,
    /// Always the same.
    Constant(Value),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    from: f64,
    to: f64,
}

/// What one device remembers of one property.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    last: Option<f64>,
    /// The platform has set it.
    set: Option<Value>,
}

impl Memory {
    /// From now on it has this value.
    pub(super) fn set(&mut self, value: Value) {
        self.set = Some(value);
    }
}

impl Property {
    /// The value of a device that has run for so long. `phase` (0 to 1) sets the devices apart.
    pub(super) fn value(
        &self,
        memory: &mut Memory,
        random: &mut Random,
        elapsed: Duration,
        phase: f64,
    ) -> Value {
        if let Some(value) = &memory.set {
            return value.clone();
        }
        let turn = |period: Duration| (elapsed.as_secs_f64() / period.as_secs_f64() + phase).fract();
        match &self.source {
            Source::Sine(range, period) => number(range.at(0.5 + 0.5 * (TAU * turn(*period)).sin())),
            Source::Ramp(range, period) => number(range.at(turn(*period))),
            Source::Random(range) => number(range.at(random.share())),
            Source::Integer(from, to) => {
                let count = to.abs_diff(*from).saturating_add(1);
                json!(from.saturating_add_unsigned(random.below(count)))
            }
            Source::Walk(range, step) => {
                let last = memory.last.unwrap_or_else(|| range.at(random.share()));
                let next = (last + step * (2.0 * random.share() - 1.0)).clamp(range.from, range.to);
                memory.last = Some(next);
                number(next)
            }
            Source::Boolean(likelihood) => json!(random.share() < *likelihood),
            Source::Choice(values) => {
                let index = random.below(values.len() as u64) as usize;
                values.get(index).cloned().unwrap_or(Value::Null)
            }
            Source::Count => {
                let next = memory.last.unwrap_or(0.0) + 1.0;
                memory.last = Some(next);
                json!(next as u64)
            }
            Source::Constant(value) => value.clone(),
        }
    }
}

impl Range {
    fn at(self, share: f64) -> f64 {
        self.from + (self.to - self.from) * share
    }
}

/// Two decimals are more than most sensors have.
fn number(value: f64) -> Value {
    Number::from_f64((value * 100.0).round() / 100.0).map_or(Value::Null, Value::Number)
}

impl FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Property, String> {
        let (name, source) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not NAME=VALUE, as in temp=sine:18..26/60s"))?;
        if name.is_empty() {
            return Err(format!("{text:?} has no name before the ="));
        }
        Ok(Property { name: name.to_owned(), source: source.parse()? })
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        Ok(match kind {
            "sine" => periodic(rest).map(|(range, period)| Source::Sine(range, period))?,
            "ramp" => periodic(rest).map(|(range, period)| Source::Ramp(range, period))?,
            "random" => Source::Random(range(rest)?),
            "int" => {
                let Range { from, to } = range(rest)?;
                Source::Integer(from.round() as i64, to.round() as i64)
            }
            "walk" => {
                let (ends, step) = rest.split_once('/').ok_or("walk:FROM..TO/STEP, as in walk:0..100/0.5")?;
                Source::Walk(range(ends)?, finite(step)?.abs())
            }
            "bool" if rest.is_empty() => Source::Boolean(0.5),
            "bool" => {
                let share = finite(rest)?;
                if !(0.0..=1.0).contains(&share) {
                    return Err(format!("bool:{rest}: a likelihood is from 0 to 1"));
                }
                Source::Boolean(share)
            }
            "enum" if !rest.is_empty() => Source::Choice(rest.split('|').map(constant).collect()),
            "count" if rest.is_empty() => Source::Count,
            _ => Source::Constant(constant(text)),
        })
    }
}

/// JSON where it is JSON, else text.
fn constant(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn periodic(text: &str) -> Result<(Range, Duration), String> {
    let (ends, period) = text.split_once('/').unwrap_or((text, "60s"));
    let Span(period) = period.parse()?;
    if period.is_zero() {
        return Err(format!("{text:?}: a period is longer than 0"));
    }
    Ok((range(ends)?, period))
}

fn range(text: &str) -> Result<Range, String> {
    let (from, to) =
        text.split_once("..").ok_or_else(|| format!("{text:?} is not FROM..TO, as in 18..26"))?;
    let range = Range { from: finite(from)?, to: finite(to)? };
    if range.from > range.to {
        return Err(format!("{text:?}: the smaller number comes first"));
    }
    Ok(range)
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| format!("{text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, seconds: &[u64]) -> Vec<Value> {
        let property: Property = text.parse().expect("a property");
        let (mut memory, mut random) = (Memory::default(), Random::new(1));
        let mut at = |second| property.value(&mut memory, &mut random, Duration::from_secs(second), 0.0);
        seconds.iter().map(|&second| at(second)).collect()
    }

    #[test]
    fn curves_follow_the_time() {
        assert_eq!(values("t=sine:18..26/60s", &[0, 15, 45, 75]), [22.0, 26.0, 18.0, 26.0]);
        assert_eq!(values("t=ramp:0..100/10s", &[0, 5, 9, 12]), [0.0, 50.0, 90.0, 20.0]);
        assert_eq!(values("n=count", &[0, 0, 9]), [1, 2, 3]);
    }

    #[test]
    fn chance_stays_within_its_ends() {
        let inside = |text: &str, from: f64, to: f64| {
            let values = values(text, &[0; 500]);
            let numbers: Vec<f64> = values.iter().map(|value| value.as_f64().expect("a number")).collect();
            assert!(numbers.iter().all(|number| (from..=to).contains(number)), "{text}: {numbers:?}");
            assert!(numbers.iter().any(|number| *number != numbers[0]), "{text}");
            numbers
        };
        inside("r=random:-1..1", -1.0, 1.0);
        assert!(inside("i=int:3..5", 3.0, 5.0).iter().all(|number| number.fract() == 0.0));
        let walk = inside("w=walk:0..100/0.5", 0.0, 100.0);
        assert!(walk.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= 0.51), "{walk:?}");
        let both = values("b=bool", &[0; 100]);
        assert!(both.contains(&json!(true)) && both.contains(&json!(false)));
        assert!(!values("b=bool:0", &[0; 100]).contains(&json!(true)));
        let choice = values("e=enum:a|2|true", &[0; 100]);
        assert!([json!("a"), json!(2), json!(true)].iter().all(|value| choice.contains(value)));
    }

    #[test]
    fn constants_are_json_or_text() {
        assert_eq!(values("a=1", &[0]), [1]);
        assert_eq!(values("a=hello", &[0]), ["hello"]);
        assert_eq!(values(r#"a={"x":[1]}"#, &[0]), [json!({"x": [1]})]);
        assert_eq!(values("at=12:30", &[0]), ["12:30"]);
        let property: Property = "a=1".parse().expect("a property");
        let mut memory = Memory::default();
        memory.set(json!(7));
        assert_eq!(property.value(&mut memory, &mut Random::new(1), Duration::ZERO, 0.0), 7);
    }

    #[test]
    fn what_is_no_source_is_told() {
        let refused = |text: &str| text.parse::<Property>().expect_err("refused");
        assert!(refused("temp").contains("NAME=VALUE"));
        assert!(refused("=1").contains("no name"));
        assert!(refused("t=sine:18").contains("FROM..TO"));
        assert!(refused("t=sine:18..x").contains("no number"));
        assert!(refused("t=sine:26..18").contains("smaller"));
        assert!(refused("t=sine:1..2/0s").contains("longer than 0"));
        assert!(refused("t=bool:2").contains("from 0 to 1"));
        assert!(refused("t=walk:1..2").contains("STEP"));
    }
}
