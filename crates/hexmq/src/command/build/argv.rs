//! What the command line of `build` has and clap has not: `--property` with two to four values, and
//! `--at` with or without one.

use std::ffi::OsString;

use hexmq_wire::{PacketType, PropertyId};
use hexmq_workbench::export::AtModule;

use crate::command::client::Trouble;
use crate::command::client::argv::SEPARATOR;

/// The module `--at` alone stands for.
const DEFAULT_MODULE: &str = "esp8266";

/// Makes the arguments of `build` fit for clap; those of other commands pass unchanged.
pub(crate) fn prepare(arguments: Vec<OsString>) -> Result<Vec<OsString>, Trouble> {
    if arguments.get(1).is_some_and(|command| command == "build") {
        prepared(arguments)
    } else {
        Ok(arguments)
    }
}

/// The values of a property become one, and `--at` always has a module. Everything behind `--` stays
/// as it is.
fn prepared(arguments: Vec<OsString>) -> Result<Vec<OsString>, Trouble> {
    let mut prepared = Vec::with_capacity(arguments.len());
    let mut rest = arguments.into_iter().peekable();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--") => {
                prepared.push(argument);
                prepared.extend(rest);
                break;
            }
            Some("--property" | "-D") => {
                prepared.push("--property".into());
                prepared.push(property(&mut rest)?.into());
            }
            Some("--at") => {
                let named = rest.peek().and_then(|next| next.to_str()).is_some_and(is_module);
                let module = if named { rest.next() } else { None };
                let module = module.unwrap_or_else(|| DEFAULT_MODULE.into());
                let mut joined = OsString::from("--at=");
                joined.push(module);
                prepared.push(joined);
            }
            _ => prepared.push(argument),
        }
    }
    Ok(prepared)
}

/// Whether the word is meant as a module: its name, or nothing else that could stand there.
fn is_module(word: &str) -> bool {
    AtModule::from_name(word).is_some()
        || !word.starts_with('-')
            && !word.contains('=')
            && PacketType::from_name(&word.to_ascii_uppercase()).is_none()
}

/// `NAME VALUE`, `NAME=VALUE`, `user-property KEY VALUE`; in front the packet's name or `will`, as
/// mosquitto's clients have it. They become one argument with separators, the place first.
fn property(rest: &mut impl Iterator<Item = OsString>) -> Result<String, Trouble> {
    let mut next = || rest.next().and_then(|value| value.into_string().ok());
    let too_few = || {
        Trouble::new(
            "`--property` has too few values",
            "it takes a name and a value; user-property takes a name and a value of its own",
            "--property receive-maximum 20, --property user-property key value",
        )
        .with_code(super::WRONG_USAGE)
    };
    let first = next().ok_or_else(too_few)?;
    let is_place = first == "will" || PacketType::from_name(&first.to_ascii_uppercase()).is_some();
    let (place, name) = if is_place { (first, next().ok_or_else(too_few)?) } else { (String::new(), first) };
    let join = |values: &[&str]| values.join(&SEPARATOR.to_string());
    if let Some((name, value)) = name.split_once('=').filter(|(name, _)| is_property(name)) {
        return Ok(match value.split_once(':').filter(|_| is_pair(name)) {
            Some((key, value)) => join(&[&place, name, key, value]),
            None => join(&[&place, name, value]),
        });
    }
    let value = next().ok_or_else(too_few)?;
    if is_pair(&name) {
        return Ok(join(&[&place, &name, &value, &next().ok_or_else(too_few)?]));
    }
    Ok(join(&[&place, &name, &value]))
}

fn is_property(name: &str) -> bool {
    PropertyId::from_name(&name.replace('-', "_")).is_some()
}

fn is_pair(name: &str) -> bool {
    name.replace('-', "_") == PropertyId::UserProperty.name()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &[&str]) -> Result<Vec<String>, Trouble> {
        let arguments = ["hexmq", "build"].iter().chain(line).map(OsString::from).collect();
        Ok(prepare(arguments)?
            .into_iter()
            .skip(2)
            .map(|argument| argument.to_string_lossy().replace(SEPARATOR, "|"))
            .collect())
    }

    #[test]
    fn the_values_of_a_property_become_one() {
        for (words, expected) in [
            (
                vec!["--property", "topic-alias", "1", "-q", "1"],
                vec!["--property", "|topic-alias|1", "-q", "1"],
            ),
            (vec!["-D", "user-property", "a", "b"], vec!["--property", "|user-property|a|b"]),
            (vec!["-D", "connect", "receive_maximum", "1"], vec!["--property", "connect|receive_maximum|1"]),
            (vec!["--property", "receive_maximum=1"], vec!["--property", "|receive_maximum|1"]),
            (vec!["--property", "user_property=a:b"], vec!["--property", "|user_property|a|b"]),
            (vec!["--", "-D", "x"], vec!["--", "-D", "x"]),
        ] {
            assert_eq!(line(&words).unwrap(), expected);
        }
        assert!(line(&["--property", "topic-alias"]).is_err());
        assert!(line(&["-D", "user-property", "a"]).is_err());
    }

    #[test]
    fn at_has_a_module_or_the_usual_one() {
        assert_eq!(line(&["--at", "ec20", "connect"]).unwrap(), ["--at=ec20", "connect"]);
        assert_eq!(line(&["--at", "connect"]).unwrap(), ["--at=esp8266", "connect"]);
        assert_eq!(line(&["connect", "--at"]).unwrap(), ["connect", "--at=esp8266"]);
        assert_eq!(line(&["--at", "-i", "x"]).unwrap(), ["--at=esp8266", "-i", "x"]);
        assert_eq!(line(&["--at", "keep_alive=5"]).unwrap(), ["--at=esp8266", "keep_alive=5"]);
        assert_eq!(line(&["--at", "nonsense"]).unwrap(), ["--at=nonsense"], "refused later, by its name");
    }
}
