//! Who is let in.

use hexmq_device::port::Platform;
use hexmq_device::{Device, DialectName, RefusedCode, Secret};

use crate::store::Health;
use crate::world::{World, settings, sign_in};

#[test]
fn a_claim_needs_a_product_of_the_dialect() {
    let world = World::new();
    let number = world.product("p", DialectName::Plain);
    let claimed = world.cloud.claim(&sign_in("d", "p", "x")).unwrap();
    assert_eq!((claimed.number, &*claimed.device), (number, "d"));
    assert_eq!(world.cloud.claim(&sign_in("d", "unknown", "x")), None);
    let triple = sign_in("12345|securemode=3,signmethod=hmacsha1|", "d&p", "x");
    assert_eq!(world.cloud.claim(&triple), None, "the product speaks another dialect");
}

#[test]
fn the_right_secret_is_let_in_and_everything_else_is_told_why() {
    let world = World::new();
    world.product("p", DialectName::Plain);
    let reference = world.device("p", "d", "secret");
    let claimed = world.cloud.claim(&sign_in("d", "p", "secret")).unwrap();
    let admitted = world.cloud.admit(&sign_in("d", "p", "secret"), &claimed).unwrap();
    assert_eq!(admitted.product, "p");
    assert_eq!(admitted.admission.rules[0].filter, "devices/d/properties");
    world.store.until("it is active", |store| store.devices[&reference].activated_at_ms.is_some());
    let refused = world.cloud.admit(&sign_in("d", "p", "wrong"), &claimed).unwrap_err();
    assert_eq!((refused.code, refused.rule), (RefusedCode::Credentials, "wrong_secret"));
    assert_eq!(world.stages(&reference), ["rejected"]);

    let unknown = world.cloud.claim(&sign_in("nobody", "p", "x")).unwrap();
    let refused = world.cloud.admit(&sign_in("nobody", "p", "x"), &unknown).unwrap_err();
    assert_eq!((refused.code, refused.rule), (RefusedCode::Identifier, "unknown_device"));

    let stored = world.cloud.device(&reference).unwrap();
    world.cloud.update_device(Device { disabled: true, ..stored }).unwrap();
    let refused = world.cloud.admit(&sign_in("d", "p", "secret"), &claimed).unwrap_err();
    assert_eq!(refused.code, RefusedCode::NotAuthorized);
    assert!(world.fleet.look(|ships| ships.disconnected.contains(&(claimed.number, "d".to_owned(), false))));
}

#[test]
fn known_credentials_answer_while_the_registry_does_not() {
    for health in [Health::Away, Health::Hanging] {
        let world = World::new();
        world.product("p", DialectName::Plain);
        world.device("p", "known", "secret");
        world.device("p", "other", "secret");
        let claim = |id: &str| world.cloud.claim(&sign_in(id, "p", "secret")).unwrap();
        world.cloud.admit(&sign_in("known", "p", "secret"), &claim("known")).unwrap();
        world.store.set_health(health);
        for _ in 0..20 {
            world.cloud.admit(&sign_in("known", "p", "secret"), &claim("known")).unwrap();
        }
        let refused = world.cloud.admit(&sign_in("known", "p", "wrong"), &claim("known")).unwrap_err();
        assert_eq!(refused.code, RefusedCode::Credentials, "{health:?}");
        let refused = world.cloud.admit(&sign_in("other", "p", "secret"), &claim("other")).unwrap_err();
        assert_eq!(refused.code, RefusedCode::Unavailable, "{health:?}");
        world.store.set_health(Health::Well);
        // The breaker lets one through within seconds.
        let mut tries = 0;
        while world.cloud.admit(&sign_in("other", "p", "secret"), &claim("other")).is_err() {
            tries += 1;
            assert!(tries < 1_000_000, "{health:?}: the registry is well, and is not asked");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_secret_that_is_changed_is_changed_in_memory_too() {
    let world = World::new();
    world.product("p", DialectName::Plain);
    let reference = world.device("p", "d", "old");
    let claimed = world.cloud.claim(&sign_in("d", "p", "old")).unwrap();
    world.cloud.admit(&sign_in("d", "p", "old"), &claimed).unwrap();
    let stored = world.cloud.device(&reference).unwrap();
    world.cloud.update_device(Device { secret: Some(Secret("new".to_owned())), ..stored }).unwrap();
    world.store.set_health(Health::Away);
    world.cloud.admit(&sign_in("d", "p", "old"), &claimed).unwrap_err();
    world.cloud.admit(&sign_in("d", "p", "new"), &claimed).unwrap();
}

#[test]
fn a_device_registers_itself_and_is_told_its_secret() {
    let world = World::new();
    world.product("a1TestPk001", DialectName::Aliyun);
    let sign = |content: &str, secret: &str| {
        let hmac = hexmq_device::mac::HashName::Sha256.hmac(secret.as_bytes(), content.as_bytes());
        hexmq_device::mac::to_hex(&hmac)
    };
    let reference = world.device("a1TestPk001", "dev01", "");
    let password = sign("deviceNamedev01productKeya1TestPk001random42", "product-secret");
    let client = "dev01.a1TestPk001|random=42,authType=register,securemode=2,signmethod=hmacsha256|";
    let register = sign_in(client, "dev01&a1TestPk001", &password);
    let claimed = world.cloud.claim(&register).unwrap();
    let admitted = world.cloud.admit(&register, &claimed).unwrap();
    let greeting = &admitted.admission.greeting[0];
    assert_eq!(greeting.topic, "/ext/register");
    let told: serde_json::Value = serde_json::from_slice(&greeting.payload).unwrap();
    let secret = told["deviceSecret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    assert_eq!(world.cloud.device(&reference).unwrap().secret.unwrap().0, secret);

    let password = sign("clientId1deviceNamedev01productKeya1TestPk001", secret);
    let connect = sign_in("1|securemode=3,signmethod=hmacsha256|", "dev01&a1TestPk001", &password);
    world.cloud.admit(&connect, &world.cloud.claim(&connect).unwrap()).unwrap();
}

#[test]
fn a_registry_that_is_away_at_the_start_is_waited_for() {
    let world = World::new();
    let (number, reference) = world.plain();
    world.settle();
    world.cloud.stop();
    world.store.set_health(Health::Away);
    let next = World::over(world.store.clone(), Default::default(), settings());
    assert_eq!(next.cloud.claim(&sign_in("d", "p", "secret")), None);
    next.store.set_health(Health::Well);
    next.store.until("everybody is off line", |store| !store.devices[&reference].presence.online);
    let claimed = loop {
        // The table follows within a moment of that.
        match next.cloud.claim(&sign_in("d", "p", "secret")) {
            Some(claimed) => break claimed,
            None => std::thread::yield_now(),
        }
    };
    assert_eq!(claimed.number, number);
    assert_eq!(next.devices()[0].presence.reason.as_deref(), Some("server_restarted"));
}

#[test]
fn the_doctor_names_what_is_wrong() {
    let world = World::new();
    world.product("p", DialectName::Plain);
    let reference = world.device("p", "d", "secret");
    let code = |sign_in: &hexmq_device::SignIn<'_>| world.cloud.diagnose(sign_in, None).unwrap().code;
    assert_eq!(code(&sign_in("d", "p", "secret")), "ok");
    assert_eq!(code(&sign_in("d", "p", "wrong")), "wrong_secret");
    assert_eq!(code(&sign_in("e", "p", "secret")), "unknown_device");
    let triple = sign_in("1|securemode=3,signmethod=hmacsha1|", "d&a1TestPk001", "x");
    assert_eq!(code(&triple), "unknown_product");
    let named = world.cloud.diagnose(&sign_in("x", "p", "secret"), Some(&reference)).unwrap();
    assert_eq!(named.code, "ok");
    let nobody = hexmq_device::SignIn { user_name: None, password: None, ..sign_in("", "", "") };
    assert_eq!(world.cloud.diagnose(&nobody, None).unwrap_err().code, "no_device");
}
