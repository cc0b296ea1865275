//! What a configuration says, and how wrong ones are refused.

use std::path::Path;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

fn flags(arguments: &[&str]) -> Result<Settings, clap::Error> {
    Flags::try_parse_from(std::iter::once(&"serve").chain(arguments)).map(|flags| flags.settings)
}

fn resolve(arguments: &[&str], text: &str) -> Result<Config, String> {
    let file = ConfigFile::parse(text, Path::new("x.toml")).map_err(|error| error.to_string())?;
    let flags = flags(arguments).map_err(|error| error.to_string())?;
    Config::resolve(flags, file).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    resolve(&[], text).expect_err(text)
}

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                    6Tg4kPXBmg7mFu6o0fuoVVXVQdLHDp5OhSJ2+6J7Cc4";

#[test]
fn nothing_given_is_the_documented_default() {
    let config = resolve(&[], "").expect("a configuration");
    assert_eq!(config.listen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["mqtt://127.0.0.1:1883"]);
    assert_eq!(config.http.to_string(), "127.0.0.1:18083");
    assert_eq!(config.durability, Durability::Disk);
    assert!(!config.allow_anonymous && !config.ephemeral);
    assert_eq!(config.limits, hexmq_broker::Limits::default());
    assert_eq!(config.write_timeout.as_secs(), 60);
}

#[test]
fn a_flag_wins_over_the_file() {
    let text = "shards = 3\nreceive_maximum = 5\nlisten = [\"mqtt://127.0.0.1:1\"]\nlog = \"warn\"";
    let config = resolve(&["--shards", "2", "--listen", "unix:///run/x"], text).expect("a configuration");
    assert_eq!(config.shards.get(), 2);
    assert_eq!(config.limits.receive_maximum, 5);
    assert_eq!(config.listen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["unix:///run/x"]);
    assert_eq!(config.log.to_string(), "warn");
}

#[test]
fn what_is_printed_gives_the_same_configuration() {
    let given = [
        "--listen",
        "mqtt://127.0.0.1:0",
        "--listen",
        "unix:///run/x",
        "--http",
        "off",
        "--allow-anonymous",
        "--maximum-packet-size",
        "1MiB",
        "--session-queue-bytes",
        "3MB",
        "--connect-timeout",
        "1500ms",
        "--session-expiry-max",
        "7d",
        "--keep-alive-max",
        "60s",
        "--sys-interval",
        "0",
        "--clients",
        "9",
        "--topic-depth",
        "7",
        "--write-buffer-bytes",
        "64KiB",
        "--data",
        "/var/lib/x",
    ];
    let config = resolve(&given, "").expect("a configuration");
    let again = resolve(&[], &config.to_string()).expect("printed configuration");
    assert_eq!(again.to_string(), config.to_string());
    assert_eq!(again.limits, config.limits);
    assert_eq!(again.limits.session_expiry_max_s, Some(604_800));
    assert_eq!(again.limits.sys_interval_s, 0);
    assert_eq!(again.listen, config.listen);
}

#[test]
fn an_unknown_key_is_refused_with_line_and_nearest_name() {
    let error = refused("shards = 2\n\nreceive_maximun = 5\n");
    assert!(error.contains("x.toml:3: unknown key `receive_maximun`"), "{error}");
    assert!(error.contains("did you mean `receive_maximum`?"), "{error}");
    let error = refused("[[user]]\nname = \"a\"\npasword_hash = \"x\"\n");
    assert!(error.contains("x.toml:3: unknown key `pasword_hash` in [[user]]"), "{error}");
    assert!(error.contains("did you mean `password_hash`?"), "{error}");
    let error = refused("connect-timeout = \"1s\"");
    assert!(error.contains("did you mean `connect_timeout`?"), "{error}");
    let error = refused("[[listner]]\nurl = \"mqtt://h\"");
    assert!(error.contains("did you mean `listener`?"), "{error}");
    assert!(refused("zzz = 1").contains("known keys: listen, tls_cert"));
}

#[test]
fn a_wrong_value_is_refused_with_line_and_key() {
    for (text, line, parts) in [
        ("shards = 0", 1, ["shards", "zero"]),
        ("\nconnect_timeout = \"10\"", 2, ["connect_timeout", "not a length of time"]),
        ("\n\nmaximum_packet_size = \"16Mib\"", 3, ["maximum_packet_size", "not a size"]),
        ("log = \"loud\"", 1, ["log", "not a level"]),
        ("receive_maximum = 70000", 1, ["receive_maximum", "70000"]),
        ("http = \"nowhere\"", 1, ["http", "not an address"]),
        ("a = [", 1, ["", ""]),
        ("user = 1", 1, ["[[user]]", ""]),
    ] {
        let error = refused(text);
        assert!(error.contains(&format!("x.toml:{line}: ")), "{text}: {error}");
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

#[test]
fn bounds_that_let_nothing_pass_are_refused() {
    for text in [
        "receive_maximum = 0",
        "in_flight_per_session = 0",
        "session_queue_messages = 0",
        "topic_depth = 0",
        "maximum_packet_size = 10",
        "maximum_packet_size = \"300MiB\"",
        "write_buffer_bytes = 1",
        "connect_timeout = \"0s\"",
        "shards = 1000",
        "session_expiry_max = \"1500ms\"",
        "keep_alive_max = \"20h\"",
        "listen = []",
        "listen = [\"mqtt://h:1\", \"mqtt://h:1\"]",
    ] {
        let key = text.split(' ').next().unwrap_or_default();
        let error = refused(text);
        assert!(error.contains(key), "{text}: {error}");
    }
}

#[test]
fn durability_that_cannot_be_kept_is_refused() {
    for mode in ["disk", "process"] {
        let error = refused(&format!("ephemeral = true\ndurability = \"{mode}\""));
        assert!(error.contains("keeps nothing"), "{error}");
        let kept = resolve(&["--durability", mode], "").expect("a configuration");
        assert_eq!(kept.durability.name(), mode);
    }
    let nothing = resolve(&["--ephemeral"], "").expect("a configuration");
    assert_eq!(nothing.durability, Durability::Memory);
    assert!(refused("durability = \"tape\"").contains("`disk`, `process` and `memory`"));
    assert!(refused("sync_delay = \"1h\"").contains("at most 5s"));
}

#[test]
fn listeners_come_from_flags_or_else_from_the_file() {
    let file = "listen = [\"mqtt://h:1\"]\n[[listener]]\nurl = \"ws://h:2\"";
    let urls = |flags: &[&str]| -> Vec<String> {
        let config = resolve(flags, file).expect("a configuration");
        config.listen.iter().map(|listen| listen.url.to_string()).collect()
    };
    assert_eq!(urls(&[]), ["mqtt://h:1", "ws://h:2/mqtt"]);
    assert_eq!(urls(&["--listen", "auto://h", "--tls-cert", "c", "--tls-key", "k"]), ["auto://h:1883"]);
}

#[test]
fn what_speaks_tls_has_a_certificate_and_its_key() {
    let file = "tls_cert = \"c\"\ntls_key = \"k\"\ntls_client_ca = \"a\"\nlisten = [\"mqtts://h\", \"mqtt://h\"]\n\
                [[listener]]\nurl = \"wss://h\"\ntls_cert = \"c2\"\ntls_key = \"k2\"\ntls_client_ca = \"\"\n";
    let config = resolve(&[], file).expect("a configuration");
    let files: Vec<_> = config.listen.iter().map(|listen| listen.tls.clone()).collect();
    let [Some(common), None, Some(own)] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!((common.certificate.to_str(), common.client_authorities.is_some()), (Some("c"), true));
    assert_eq!((own.key.to_str(), own.client_authorities.is_some()), (Some("k2"), false));
    let again = resolve(&[], &config.to_string()).expect("what is printed is a configuration");
    assert_eq!(again.listen, config.listen);
    for (text, part) in [
        ("listen = [\"mqtts://h\"]", "--tls-cert FILE"),
        ("tls_cert = \"c\"\nlisten = [\"auto://h\"]", "the private key of c"),
        ("[[listener]]\nurl = \"mqtt://h\"\ntls_cert = \"c\"", "speaks no TLS"),
        ("tls_key = \"k\"\n[[listener]]\nurl = \"mqtts://h\"\ntls_cert = \"c\"", "the private key of c"),
        ("[[listener]]\nurl = \"mqtts://h\"\ntls_crt = \"c\"", "did you mean `tls_cert`?"),
        ("listen = [\"http://h\"]", "mqtts://"),
    ] {
        assert!(refused(text).contains(part), "{text}: {}", refused(text));
    }
    let error =
        resolve(&["--tls-cert", "c", "--tls-key", "k"], "").expect_err("nobody would see it").to_string();
    assert!(error.contains("--listen mqtts://"), "{error}");
    let renewed = resolve(&[], &file.replace("\"c\"", "\"new\"")).expect("a configuration");
    assert!(config.needs_restart(&renewed).is_empty(), "certificates change live");
}

#[test]
fn users_need_an_argon2id_hash_and_a_name_of_their_own() {
    let user = |name: &str, hash: &str| format!("[[user]]\nname = \"{name}\"\npassword_hash = \"{hash}\"\n");
    let config = resolve(&[], &user("a", HASH)).expect("a user");
    assert_eq!(config.users.first().map(|user| user.name.as_str()), Some("a"));
    assert!(!config.to_string().contains("argon2id"), "hashes are not shown");
    let error = refused(&(user("a", HASH) + &user("a", HASH)));
    assert!(error.contains("named twice"), "{error}");
    let error = refused(&user("a", "plain"));
    assert!(error.contains("hexmq user hash"), "{error}");
    let error = refused(&user("a", &HASH.replace("argon2id", "argon2i")));
    assert!(error.contains("argon2id"), "{error}");
    assert!(refused("[[user]]\nname = \"a\"\n").contains("password_hash"));
}

#[test]
fn what_needs_a_restart_is_named() {
    let old = resolve(&[], "").expect("a configuration");
    let new = resolve(&[], "shards = 7\nhttp = \"off\"\nreceive_maximum = 3").expect("a configuration");
    assert_eq!(old.needs_restart(&new), ["http", "shards"]);
    assert!(old.needs_restart(&old).is_empty());
}
