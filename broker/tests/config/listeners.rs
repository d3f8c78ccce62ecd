//! Listeners are read as Apache Kafka 4.3.1 was seen to read them, where it does not leave a mistake for later.

use brooklet::config::{Advertised, BrokerConfig, BrokerLayers, ConfigError, Listener, SecurityProtocol};
use proptest::prelude::*;

/// The listeners of a broker with these settings, which bars separate.
fn listeners(settings: &str) -> Result<Vec<Listener>, ConfigError> {
    let pairs = settings.split('|').map(|setting| {
        let (name, text) = setting.split_once('=').expect("a setting");
        (name.to_owned(), text.to_owned())
    });
    BrokerConfig::resolve(&BrokerLayers::new(pairs.collect())?).map(|config| config.listeners)
}

fn told(host: &str, port: u16) -> Option<Advertised> {
    Some(Advertised { host: Some(host.to_owned()), port: Some(port) })
}

const COMBINED: &str = "controller.listener.names=CONTROLLER";
const MAP_A: &str = "listener.security.protocol.map=A:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT";

#[test]
fn the_address_listened_on_is_the_one_clients_are_told() {
    let listeners = listeners("listeners=plaintext://h_x.a-b:5").expect("allowed");
    let expected = Listener {
        name: "PLAINTEXT".to_owned(),
        protocol: SecurityProtocol::Plaintext,
        bind_host: Some("h_x.a-b".to_owned()),
        bind_port: 5,
        advertised: told("h_x.a-b", 5),
    };
    assert_eq!(listeners, [expected]);
}

#[test]
fn an_empty_host_is_every_interface_and_clients_are_told_this_machines_name() {
    let listeners = listeners("listeners=PLAINTEXT://:9092").expect("allowed");
    assert_eq!(listeners[0].bind_host, None);
    let advertised = Advertised { host: None, port: Some(9092) };
    assert_eq!(listeners[0].advertised, Some(advertised));
}

#[test]
fn port_zero_is_told_as_the_port_that_was_got() {
    let listeners = listeners(&format!("listeners=PLAINTEXT://127.0.0.1:0,A://127.0.0.1:0|{MAP_A}")).expect("allowed");
    assert_eq!(listeners.len(), 2);
    for listener in listeners {
        assert_eq!(listener.bind_port, 0);
        assert_eq!(listener.advertised.and_then(|advertised| advertised.port), None);
    }
}

#[test]
fn advertised_listeners_replace_what_clients_are_told() {
    let text = format!(
        "listeners=PLAINTEXT://0.0.0.0:9092,A://:9094|advertised.listeners=PLAINTEXT://[2001:db8::1]:1|{MAP_A}"
    );
    let listeners = listeners(&text).expect("allowed");
    assert_eq!(listeners[0].advertised, told("2001:db8::1", 1));
    assert_eq!(listeners[1].name, "A");
    assert_eq!(listeners[1].advertised, None, "it is left out");
}

#[test]
fn ipv6_addresses_may_have_brackets_and_share_a_port_with_ipv4() {
    let text = format!("listeners=PLAINTEXT://127.0.0.1:9092,A://[::1]:9092|{MAP_A}");
    let both = listeners(&text).expect("allowed");
    assert_eq!(both[1].bind_host.as_deref(), Some("::1"));
    let bare = listeners("listeners=PLAINTEXT://::1:9092").expect("allowed");
    assert_eq!(bare[0].bind_host.as_deref(), Some("::1"));
}

#[test]
fn the_controllers_listeners_are_not_served() {
    let text = format!("process.roles=broker,controller|listeners=PLAINTEXT://:9092,CONTROLLER://:9093|{COMBINED}");
    let combined = listeners(&text).expect("allowed");
    assert_eq!(combined.len(), 1);
    let text = "listeners=PLAINTEXT://:9092,CONTROLLER://:9093|controller.listener.names=CONTROLLER\
                |listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:SSL\
                |advertised.listeners=PLAINTEXT://h:1,CONTROLLER://h:2";
    assert_eq!(listeners(text).expect("its protocol does not matter").len(), 1);
}

#[test]
fn a_repeated_address_counts_once() {
    let listeners = listeners("listeners=PLAINTEXT://:9092, PLAINTEXT://:9092").expect("allowed");
    assert_eq!(listeners.len(), 1);
}

#[test]
fn mistakes_are_refused() {
    let map = "listener.security.protocol.map";
    for (text, reason) in [
        ("listeners=", "at least one element"),
        ("listeners=PLAINTEXT:9092", "must be NAME://host:port"),
        ("listeners=PLAINTEXT://h", "must be NAME://host:port"),
        ("listeners=PLAINTEXT://h x:5", "must be NAME://host:port"),
        ("listeners=PLAINTEXT://h:99999", "from 0 to 65535"),
        ("listeners=PLAINTEXT://h:-5", "from 0 to 65535"),
        ("listeners=FOO://:9092", "no security protocol for the listener FOO"),
        ("listeners=PLAINTEXT://:1,plaintext://:2", "a name of its own"),
        ("listeners=SSL://:9092", "SSL listeners are not served yet"),
        (&format!("listeners=A://:1|{map}=A:SASL_PLAINTEXT"), "SASL_PLAINTEXT listeners are not served yet"),
        (&format!("listeners=A://:1|{map}=A:FOO"), "must be one of PLAINTEXT, SSL"),
        (&format!("listeners=A://:1|{map}=A"), "a list of NAME:PROTOCOL"),
        (&format!("listeners=PLAINTEXT://:1,A://:1|{MAP_A}"), "port 1 is PLAINTEXT's already"),
        (
            &format!("listeners=PLAINTEXT://127.0.0.1:1,A://127.0.0.2:1|{MAP_A}"),
            "only an IPv4 and an IPv6 address can share one",
        ),
        (
            &format!("listeners=PLAINTEXT://127.0.0.1:1,A://localhost:1|{MAP_A}"),
            "only an IPv4 and an IPv6 address can share one",
        ),
        (
            &format!("listeners=PLAINTEXT://127.0.0.1:1,A://[::1]:1,CONTROLLER://[::2]:1|{MAP_A}|{COMBINED}"),
            "only an IPv4 and an IPv6 address can share one",
        ),
        ("listeners=PLAINTEXT://0.0.0.0:1", "clients cannot connect to 0.0.0.0"),
        ("listeners=PLAINTEXT://:1|advertised.listeners=PLAINTEXT://0.0.0.0:1", "clients cannot connect to 0.0.0.0"),
        (
            "listeners=PLAINTEXT://:1|advertised.listeners=SSL://h:1",
            "SSL is none of the listeners, which are PLAINTEXT",
        ),
        ("listeners=PLAINTEXT://:1|advertised.listeners=PLAINTEXT://h:1,PLAINTEXT://g:1", "a name of its own"),
        (&format!("listeners=CONTROLLER://:9093|{COMBINED}"), "every listener is the controller's"),
        ("process.roles=controller", "always a broker"),
        ("process.roles=broker,zork", "broker, controller"),
        ("listeners=PLAINTEXT://:1|inter.broker.listener.name=X", "must be one of the listeners, which are PLAINTEXT"),
    ] {
        let error = listeners(text).expect_err(text);
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
}

/// As soon as a listener has the name of a secure protocol, the controller's need an entry in the map.
#[test]
fn the_map_is_needed_beside_secure_listeners() {
    let text = format!("listeners=SSL://:9092,CONTROLLER://:9093|{COMBINED}");
    let error = listeners(&text).expect_err("no entry").to_string();
    assert!(error.contains("no security protocol for the listener CONTROLLER"), "{error}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,60}|([A-Z]{0,3}://[a-z0-9:.\\[\\]]{0,9}:[0-9]{0,6},?){0,4}", map in "(?s).{0,30}") {
        for name in ["listeners", "advertised.listeners", "controller.listener.names"] {
            let mut settings = std::collections::BTreeMap::new();
            settings.insert(name.to_owned(), text.clone());
            settings.insert("listener.security.protocol.map".to_owned(), map.clone());
            if let Ok(layers) = BrokerLayers::new(settings) {
                let _ = BrokerConfig::resolve(&layers);
            }
        }
    }

    #[test]
    fn an_address_reads_back_the_same(host in "[a-z0-9.-]{0,12}", port in 0u16..) {
        let text = format!("listeners=PLAINTEXT://{host}:{port}|advertised.listeners=PLAINTEXT://localhost:1");
        let listeners = listeners(&text).expect("a well-formed address");
        prop_assert_eq!(listeners[0].bind_host.clone().unwrap_or_default(), host);
        prop_assert_eq!(listeners[0].bind_port, port);
    }
}
