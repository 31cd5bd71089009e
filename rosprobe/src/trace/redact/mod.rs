//! Fit for the public: parameter values, host names, user names, addresses (of networks and of hardware) and the prefixes of GUIDs become
//! placeholders.
//! Names of topics, nodes, types and parameters, commands, process ids and ports stay: without them nobody could read the diagnosis.
//!
//! The same original has the same placeholder everywhere in one file, inside URIs, headers, bodies, command lines and
//! environments too, and subnets stay subnets: so the redacted observations give the same graph and the same findings.

mod addresses;
mod hardware;
mod names;
mod parameters;
mod text;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::addresses::AddressMap;
use self::hardware::HardwareMap;
use self::names::{Names, REDACTED, Replacer};
use super::document::Meta;
use super::opened::Opened;
use crate::diagnosis::Finding;
use crate::observation::Observation;
use crate::session::Session;

/// Fields that hold times and numbers by name, and nobody's text.
const FIXED_FIELDS: [&str; 8] = ["time", "zero", "started", "ended", "errno", "rosprobe", "kernel", "architecture"];

/// The same file with placeholders.
pub fn redact(opened: &Opened) -> Opened {
    let observations: Vec<Observation> = opened.session.history().iter().map(parameters::without_values).collect();
    let mut found = Found::default();
    found.meta(&opened.meta);
    for (original, observation) in opened.session.history().iter().zip(&observations) {
        found.observation(original, observation);
    }
    let redactor = found.finish();
    let mut session = Session::for_file();
    let mut left_out = 0;
    for observation in &observations {
        match redactor.apply(observation) {
            Some(observation) => session.observe(observation),
            None => left_out += 1,
        }
    }
    let findings = opened.session.findings().iter().filter_map(|finding| redactor.apply::<Finding>(finding)).collect();
    session.finish_file(opened.meta.end, opened.session.lost(), opened.session.forgotten(), findings);
    let mut missing: Vec<String> = opened.missing.iter().map(|sentence| redactor.text(sentence)).collect();
    if left_out > 0 {
        missing.push(format!("{left_out} observations could not be redacted, and are left out."));
    }
    let meta =
        redactor.apply::<Meta>(&opened.meta).unwrap_or_else(|| super::reading::unknown_meta(Some(opened.meta.clock)));
    Opened { meta: Meta { redacted: true, ..meta }, session, missing }
}

/// What there is to replace.
#[derive(Default)]
struct Found {
    addresses: BTreeSet<IpAddr>,
    hardware: HardwareMap,
    names: Names,
    /// Prefixes of GUIDs with their placeholders.
    prefixes: BTreeMap<String, String>,
}

impl Found {
    fn meta(&mut self, meta: &Meta) {
        if let Some(host) = &meta.host {
            self.names.host(host);
        }
        if let Ok(value) = serde_json::to_value(meta) {
            self.value("", &value);
        }
    }

    fn observation(&mut self, original: &Observation, without_values: &Observation) {
        if let Ok(value) = serde_json::to_value(without_values) {
            if matches!(value["kind"].as_str(), Some("name-query" | "name-answer")) {
                self.names.host(value["name"].as_str().unwrap_or_default());
            }
            self.value("", &value);
        }
        for secret in parameters::values(original) {
            self.names.secret(&secret);
        }
    }

    /// Looks through a value that stands in the field `key`.
    fn value(&mut self, key: &str, value: &Value) {
        match value {
            Value::String(text) => self.string(key, text),
            Value::Array(list) => {
                if let [Value::String(name), Value::String(value)] = list.as_slice()
                    && name.eq_ignore_ascii_case("host")
                {
                    self.names.host(text::without_port(value));
                }
                for item in list {
                    // A line of the hosts file: an address, then its names.
                    let names = key == "hosts" && item.is_array();
                    self.value(if names { "host-line" } else { key }, item);
                }
            }
            Value::Object(object) => {
                for (key, value) in object {
                    self.value(key, value);
                }
            }
            _ => {}
        }
    }

    fn string(&mut self, key: &str, value: &str) {
        match key {
            "host" => self.names.host_with_id(value),
            "hostname" | "host-line" | "ROS_HOSTNAME" | "HOSTNAME" => self.names.host(value),
            "user" | "USER" | "LOGNAME" => self.names.user(value),
            _ => {}
        }
        text::for_each_address(value, |address| {
            self.addresses.insert(address);
        });
        self.hardware.find(value);
        text::for_each_guid_prefix(value, |prefix| self.prefix(prefix));
        text::for_each_uri_host(value, |host| self.names.host(host));
        text::for_each_home(value, |user| self.names.user(user));
        text::for_each_login(value, |login| {
            self.names.user(login.user);
            self.names.host(login.host);
            login.password.into_iter().for_each(|password| self.names.secret(password));
        });
    }

    /// The first two bytes of a GUID are the vendor and stay; the rest becomes a number.
    fn prefix(&mut self, prefix: &str) {
        let nobody = prefix.bytes().all(|byte| byte == b'0');
        if !nobody && !self.prefixes.contains_key(prefix) {
            let number = self.prefixes.len() + 1;
            self.prefixes.insert(prefix.to_owned(), format!("{}{number:020x}", &prefix[..4]));
        }
    }

    fn finish(mut self) -> Redactor {
        let addresses = AddressMap::new(&self.addresses);
        for (original, placeholder) in addresses.iter() {
            self.names.spelled(&text::spelled(original), &text::spelled(placeholder));
        }
        Redactor { addresses, hardware: self.hardware.finish(), names: self.names.finish(), prefixes: self.prefixes }
    }
}

struct Redactor {
    addresses: AddressMap,
    hardware: HardwareMap,
    names: Replacer,
    prefixes: BTreeMap<String, String>,
}

impl Redactor {
    /// The same thing with placeholders; `None` when it does not survive that.
    fn apply<T: Serialize + DeserializeOwned>(&self, thing: &T) -> Option<T> {
        let mut value = serde_json::to_value(thing).ok()?;
        self.value("", &mut value);
        serde_json::from_value(value).ok()
    }

    fn value(&self, key: &str, value: &mut Value) {
        match value {
            Value::String(text) if FIXED_FIELDS.contains(&key) || vocabulary::is_own_word(key, text) => {}
            Value::String(text) if is_secret_field(key) => REDACTED.clone_into(text),
            Value::String(text) => *text = self.text(text),
            Value::Array(list) => self.list(key, list),
            Value::Object(object) => {
                let prefix = object.get("prefix").and_then(Value::as_u64);
                for (key, value) in object.iter_mut() {
                    self.value(key, value);
                    if let (Some(prefix), "destination", Value::String(network)) = (prefix, key.as_str(), value) {
                        *network = text::network(network, prefix);
                    }
                }
            }
            _ => {}
        }
    }

    fn list(&self, key: &str, list: &mut [Value]) {
        if key == "argv" || key == "command_line" {
            parameters::redact_arguments(list);
        }
        if let [Value::String(name), Value::String(value)] = list
            && is_secret_field(name)
        {
            REDACTED.clone_into(value);
        }
        for item in list {
            self.value(key, item);
        }
    }

    fn text(&self, text: &str) -> String {
        let text = text::replace_guid_prefixes(text, |prefix| self.prefixes.get(prefix).cloned());
        let text = self.hardware.replace(&text);
        self.names.replace(&text::replace_addresses(&text, |address| self.addresses.get(address)))
    }
}

/// HTTP header fields and environment variables whose very purpose is a secret.
fn is_secret_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || ["password", "passwd", "secret", "token"].iter().any(|word| name.contains(word))
}
