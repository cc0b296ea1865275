//! What mosquitto's command line has and clap has not: `-D` with three or four values depending
//! on the second, and options that are refused because this build cannot honour them.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{Arg, Command};

use super::Trouble;

/// Separates the values of one `-D`, which reach clap as one: a character of nobody's alphabet
/// that clap does not strip from its messages.
pub(crate) const SEPARATOR: char = '\u{e01f}';

/// Options of mosquitto's clients for TLS that this build does not have.
const TLS: [&str; 9] = [
    "--capath",
    "--ciphers",
    "--keyform",
    "--psk",
    "--psk-identity",
    "--tls-alpn",
    "--tls-engine",
    "--tls-engine-kpass-sha1",
    "--tls-use-os-certs",
];

/// Makes the arguments of a client command fit for clap; the arguments of other commands pass
/// unchanged. `command` is the whole program.
pub(crate) fn prepare(arguments: Vec<OsString>, command: &Command) -> Result<Vec<OsString>, Trouble> {
    let Some(name) = arguments.get(1).and_then(|name| name.to_str()) else { return Ok(arguments) };
    if !is_client(name) {
        return Ok(arguments);
    }
    let Some(command) = command.find_subcommand(name) else { return Ok(arguments) };
    let mut prepared: Vec<OsString> = Vec::with_capacity(arguments.len());
    let mut rest = arguments.into_iter();
    prepared.extend(rest.by_ref().take(2));
    while let Some(argument) = rest.next() {
        refuse(&argument)?;
        if argument == "-D" || argument == "--property" {
            prepared.push("-D".into());
            prepared.push(joined(&mut rest)?);
            continue;
        }
        let takes_next = value_follows(&argument, command);
        prepared.push(argument);
        if takes_next {
            prepared.extend(rest.next());
        }
    }
    Ok(prepared)
}

/// Whether `name` is one of the client commands.
pub(crate) fn is_client(name: &str) -> bool {
    matches!(name, "pub" | "sub" | "rr")
}

/// Reports what clap found wrong in the arguments of a client command, in three lines.
pub(crate) fn wrong_usage(error: &clap::Error, command: &str) -> ExitCode {
    let text = error.to_string().replace(SEPARATOR, " ");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ");
    // What clap adds before the usage: the values that are missing or possible, or a tip.
    let more: Vec<&str> = lines.take_while(|line| !line.starts_with("Usage:")).collect();
    let more: Vec<&str> = more.into_iter().filter(|line| !line.starts_with("For more information")).collect();
    let (what, why) = match first.split_once(">': ") {
        Some((what, why)) => (format!("{what}>'"), why.to_owned()),
        None if more.is_empty() => (first.to_owned(), "the arguments do not fit the command".to_owned()),
        None => (first.trim_end_matches(':').to_owned(), more.join(" ")),
    };
    Trouble::new(what, why, format!("`hexmq {command} --help` lists the options")).report(false)
}

fn refuse(argument: &OsStr) -> Result<(), Trouble> {
    let Some(argument) = argument.to_str() else { return Ok(()) };
    let name = argument.split_once('=').map_or(argument, |(name, _)| name);
    if TLS.contains(&name) {
        return Err(Trouble::new(
            format!("`{name}` is not in this build"),
            "the connection would not be as asked for, so nothing was sent",
            "use --cafile, --cert, --key, --insecure and --tls-version; without --cafile the system's authorities \
             are trusted",
        ));
    }
    if name == "--proxy" {
        return Err(Trouble::new(
            "`--proxy` is not in this build",
            "it connects directly, so nothing was sent",
            "connect to the server's address, or through a tunnel with a local port",
        ));
    }
    Ok(())
}

/// The three values of `-D COMMAND IDENTIFIER VALUE`, four for a user property.
fn joined(rest: &mut impl Iterator<Item = OsString>) -> Result<OsString, Trouble> {
    let mut values: Vec<OsString> = rest.by_ref().take(2).collect();
    let more = if values.get(1).is_some_and(|identifier| identifier == "user-property") { 2 } else { 1 };
    values.extend(rest.take(more));
    if values.len() < 2 + more {
        return Err(Trouble::new(
            "`-D` has too few values",
            "it takes a command, a property and its value; for user-property a name and a value",
            "-D publish content-type text/plain, or -D connect user-property key value",
        ));
    }
    Ok(values.join(OsStr::new(SEPARATOR.to_string().as_str())))
}

/// Whether the argument after this one is its value, whatever it looks like: `-m -D` is a message.
fn value_follows(argument: &OsStr, command: &Command) -> bool {
    let Some(text) = argument.to_str() else { return false };
    let takes_value = |arg: &Arg| arg.get_action().takes_values();
    if let Some(long) = text.strip_prefix("--") {
        return command.get_arguments().any(|arg| arg.get_long() == Some(long) && takes_value(arg));
    }
    let Some(cluster) = text.strip_prefix('-') else { return false };
    for (place, short) in cluster.char_indices() {
        let arg = command.get_arguments().find(|arg| arg.get_short() == Some(short));
        match arg {
            Some(arg) if takes_value(arg) => return place + short.len_utf8() == cluster.len(),
            Some(_) => {}
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn prepared(line: &[&str]) -> Result<Vec<String>, Trouble> {
        let arguments = ["hexmq"].iter().chain(line).map(OsString::from).collect();
        let prepared = prepare(arguments, &crate::Cli::command())?;
        Ok(prepared.into_iter().skip(1).map(|argument| argument.into_string().unwrap()).collect())
    }

    #[test]
    fn the_values_of_a_property_become_one() {
        let line = [
            "pub",
            "-D",
            "publish",
            "user-property",
            "k",
            "-v",
            "-D",
            "connect",
            "receive-maximum",
            "5",
            "-r",
        ];
        let joined = |values: &[&str]| values.join(&SEPARATOR.to_string());
        let expected = [
            "pub".to_owned(),
            "-D".to_owned(),
            joined(&["publish", "user-property", "k", "-v"]),
            "-D".to_owned(),
            joined(&["connect", "receive-maximum", "5"]),
            "-r".to_owned(),
        ];
        assert_eq!(prepared(&line).unwrap(), expected);
        assert!(prepared(&["sub", "-D", "connect", "receive-maximum"]).is_err());
    }

    #[test]
    fn the_value_of_an_option_is_left_alone() {
        for line in [
            &["pub", "-m", "-D", "-t", "--cafile"][..],
            &["pub", "--message", "-D", "-r"],
            &["pub", "-rm", "-D"],
            &["pub", "-m-D", "-r"],
            &["explain", "-D", "--cafile"],
        ] {
            assert_eq!(prepared(line).unwrap(), line);
        }
    }

    #[test]
    fn what_this_build_cannot_do_is_refused() {
        for option in TLS.iter().chain(&["--proxy", "--capath=x"]) {
            assert!(prepared(&["sub", "-t", "a", option, "x"]).is_err(), "{option}");
        }
    }
}
