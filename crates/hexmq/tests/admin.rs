//! Administration on the command line, against a real server.

#[allow(dead_code, reason = "other tests use more of it")]
mod serving;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use serving::Server;

/// What a command says and how it ends.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(output: Output) -> Said {
        Said {
            code: output.status.code().expect("a code"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs `hexmq` with these arguments and something on its standard input.
fn run(url: &str, password: Option<&str>, arguments: &[&str], input: &[u8]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    command
        .args(arguments)
        .env("HEXMQ_URL", url)
        .env_remove("HEXMQ_TOKEN")
        .env_remove("HEXMQ_ADMIN_PASSWORD");
    if let Some(password) = password {
        command.env("HEXMQ_ADMIN_PASSWORD", password);
    }
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("started");
    // A command that does not read ends with the pipe still full.
    let _ = child.stdin.take().expect("stdin").write_all(input);
    Said::of(child.wait_with_output().expect("ended"))
}

struct Admin {
    server: Server,
    url: String,
}

impl Admin {
    fn new() -> Admin {
        let server = Server::start(&["--ephemeral"]);
        let url = format!("http://{}", server.addresses("http").first().expect("an API"));
        Admin { server, url }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        run(&self.url, Some("pw"), arguments, b"")
    }

    /// Runs what must succeed.
    fn must(&self, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}{}", said.stdout, said.stderr);
        said
    }

    fn greenhouse(&self) {
        self.must(&[
            "product",
            "create",
            "greenhouse",
            "--dialect",
            "onenet",
            "--secret",
            "master==",
            "--name",
            "House",
        ]);
        self.must(&["device", "create", "greenhouse", "sensor", "--secret", "auth", "--tag", "row=2"]);
    }
}

#[test]
fn products_and_devices_are_made_shown_changed_and_removed() {
    let admin = Admin::new();
    admin.greenhouse();
    let list = admin.must(&["product", "list"]);
    assert!(list.stdout.starts_with("ID          NAME   DIALECT"), "{}", list.stdout);
    assert!(list.stdout.contains("greenhouse  House  onenet"), "{}", list.stdout);
    assert!(!list.stdout.contains("master=="));
    assert!(admin.must(&["product", "show", "greenhouse", "--reveal"]).stdout.contains("master=="));
    admin.must(&["product", "set", "greenhouse", "--history-days", "30", "--zone", "-03:30"]);
    let shown = admin.must(&["--help"]);
    assert!(shown.stdout.contains("doctor"));
    let product = admin.must(&["product", "show", "greenhouse", "--json"]).json();
    assert_eq!((&product["history_days"], &product["zone"]), (&json!(30), &json!("-03:30")));
    admin.must(&["device", "disable", "greenhouse", "sensor"]);
    assert_eq!(
        admin.must(&["device", "show", "greenhouse", "sensor", "--json"]).json()["status"],
        "disabled"
    );
    admin.must(&["device", "enable", "greenhouse", "sensor"]);
    admin.must(&["device", "set", "greenhouse", "sensor", "--untag", "row", "--tag", "bed=7"]);
    let device = admin.must(&["device", "show", "greenhouse", "sensor", "--json"]).json();
    assert_eq!((&device["tags"], &device["status"]), (&json!({"bed": "7"}), &json!("never")));
    let refused = admin.run(&["product", "delete", "greenhouse"]);
    assert_eq!((refused.code, refused.stderr.contains("--yes")), (2, true), "{}", refused.stderr);
    admin.must(&["product", "delete", "greenhouse", "--yes"]);
    let gone = admin.run(&["device", "show", "greenhouse", "sensor"]);
    assert_eq!((gone.code, gone.stderr.lines().count()), (1, 3), "{}", gone.stderr);
}

#[test]
fn an_export_can_be_imported_and_lines_that_fail_are_told() {
    let admin = Admin::new();
    admin.greenhouse();
    let csv = admin.must(&["device", "export", "greenhouse", "--reveal"]).stdout;
    assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("sensor,sensor,row=2,false")), "{csv}");
    admin.must(&["product", "create", "other", "--dialect", "onenet"]);
    let import = ["device", "import", "other", "-"];
    let first = run(&admin.url, Some("pw"), &import, csv.as_bytes());
    assert_eq!(
        (first.code, first.stdout.lines().next()),
        (0, Some("1 created, 0 left alone, 0 failed")),
        "{}",
        first.stderr
    );
    let again = run(&admin.url, Some("pw"), &import, csv.as_bytes());
    assert_eq!(again.code, 1);
    assert!(again.stdout.contains("0 created, 0 left alone, 1 failed"), "{}", again.stdout);
    assert!(again.stdout.contains("2     sensor"), "{}", again.stdout);
    let skip =
        run(&admin.url, Some("pw"), &["device", "import", "other", "-", "--skip-existing"], csv.as_bytes());
    assert_eq!(skip.code, 0, "{}", skip.stdout);
}

#[test]
fn values_are_posted_and_read_back() {
    let admin = Admin::new();
    admin.greenhouse();
    let posted =
        admin.must(&["data", "post", "greenhouse", "sensor", "t=21.5", "door=false", "--at", "1795399800"]);
    assert_eq!(posted.stdout, "2 values posted\n");
    let csv = b"id,value,at\nt,22,2026-11-23T02:20:00Z\n";
    let more = run(&admin.url, Some("pw"), &["data", "post", "greenhouse", "sensor", "--csv", "-"], csv);
    assert_eq!(more.code, 0, "{}", more.stderr);
    let latest = admin.must(&["data", "latest", "greenhouse", "sensor", "--json"]).json();
    let values: Vec<(&Value, &Value)> =
        latest["items"].as_array().expect("items").iter().map(|item| (&item["id"], &item["value"])).collect();
    assert!(
        values.contains(&(&json!("t"), &json!(22))) && values.contains(&(&json!("door"), &json!(false))),
        "{latest}"
    );
    let history = admin.must(&["data", "history", "greenhouse", "sensor", "--id", "t", "--order", "desc"]);
    let lines: Vec<&str> = history.stdout.lines().collect();
    assert!(lines[0].starts_with("AT "), "{lines:?}");
    assert!(lines[1].starts_with("2026-11-23T02:20:00.000Z  t   22 "), "{lines:?}");
    let summary =
        admin.must(&["data", "history", "greenhouse", "sensor", "--id", "t", "--step", "1h", "--json"]);
    assert_eq!(summary.json()["items"][0]["count"], 2);
    admin.must(&["data", "delete", "greenhouse", "sensor", "--id", "t"]);
    let history = admin.must(&["data", "history", "greenhouse", "sensor", "--id", "t", "--json"]);
    assert_eq!(history.json()["items"], json!([]));
}

#[test]
fn a_command_says_what_became_of_it() {
    let admin = Admin::new();
    admin.greenhouse();
    let offline = admin.run(&["command", "send", "greenhouse", "sensor", "--payload", "on", "--wait", "5"]);
    assert_eq!(offline.code, 1, "{}", offline.stdout);
    assert!(offline.stdout.contains("refused") && offline.stdout.contains("offline"), "{}", offline.stdout);
    let kept = admin.run(&[
        "command",
        "send",
        "greenhouse",
        "sensor",
        "--hex",
        "00ff",
        "--timeout",
        "60",
        "--wait",
        "1",
        "--json",
    ]);
    assert_eq!((kept.code, &kept.json()["state"]), (27, &json!("created")), "{}", kept.stdout);
    let list = admin.must(&["command", "list", "greenhouse", "sensor", "--json"]).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    let nothing = admin.run(&["command", "send", "greenhouse", "sensor"]);
    assert_eq!(nothing.code, 2);
}

#[test]
fn what_keeps_a_command_from_its_server_is_told() {
    let admin = Admin::new();
    let nobody = run("http://127.0.0.1:1", Some("pw"), &["product", "list"], b"");
    assert_eq!(
        (nobody.code, nobody.stderr.contains("cannot reach http://127.0.0.1:1")),
        (3, true),
        "{}",
        nobody.stderr
    );
    assert!(nobody.stderr.contains("HEXMQ_URL"), "{}", nobody.stderr);
    for password in [None, Some("wrong")] {
        let refused = run(&admin.url, password, &["product", "list"], b"");
        assert_eq!((refused.code, refused.stderr.contains("HEXMQ_TOKEN")), (1, true), "{}", refused.stderr);
    }
    let strange = run("ftp://x", None, &["product", "list"], b"");
    assert_eq!(strange.code, 2);
    let made = admin.must(&["key", "create", "--scope", "read", "--name", "reader", "--json"]).json();
    let key = made["key"].as_str().expect("a key");
    let listed = run(&admin.url, None, &["--help"], b"");
    assert_eq!(listed.code, 0);
    let reader = run(&admin.url, None, &["product", "list", "--token", key], b"");
    assert_eq!(reader.code, 0, "{}", reader.stderr);
    let writer =
        run(&admin.url, None, &["product", "create", "p", "--dialect", "plain", "--token", key], b"");
    assert_eq!((writer.code, writer.stderr.contains("missing_scope")), (1, true), "{}", writer.stderr);
    assert!(!admin.must(&["key", "list"]).stdout.contains(key));
}

#[test]
fn the_doctor_finds_the_wrong_ingredient_with_and_without_a_server() {
    let mut admin = Admin::new();
    admin.greenhouse();
    let strings = ["doctor", "--client-id", "sensor", "--user-name", "greenhouse", "--password"];
    let healthy = admin.run(&[&strings[..], &["auth"]].concat());
    assert_eq!(healthy.code, 0, "{}{}", healthy.stdout, healthy.stderr);
    let ill = admin.run(&[&strings[..], &["guess"]].concat());
    assert_eq!((ill.code, ill.stdout.contains("WRONG")), (1, true), "{}", ill.stdout);
    let connect = serving::connect(4, "sensor", 60, &["greenhouse", "guess"]);
    let hex: String = connect.iter().map(|byte| format!("{byte:02x} ")).collect();
    let by_bytes = admin.run(&["doctor", &hex, "--json"]);
    assert_eq!((by_bytes.code, &by_bytes.json()["admitted"]), (1, &json!(false)), "{}", by_bytes.stderr);
    // What the server refuses is found to be ill for the same reason.
    let mut client = admin.server.client();
    client.send(&connect).closed();
    let (status, list) = admin.server.http("GET", "/api/v1/rejections", true, "");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!((status, &list["items"][0]["doctor"]["code"]), (200, &by_bytes.json()["code"]), "{list}");
    admin.server.signal(rustix::process::Signal::TERM);
    assert!(admin.server.wait().success());
    let offline = ["--dialect", "onenet", "--device-secret", "auth"];
    let healthy = admin.run(&[&strings[..], &["auth"], &offline].concat());
    assert_eq!(healthy.code, 0, "{}{}", healthy.stdout, healthy.stderr);
    let ill = admin.run(&[&strings[..], &["guess"], &offline].concat());
    assert_eq!((ill.code, ill.stdout.contains("WRONG")), (1, true), "{}{}", ill.stdout, ill.stderr);
}
