//! The reference of all configs, `docs/configuration.md`.

use std::fmt::Write;

use super::broker::{INTERNAL_BROKER_CONFIGS, OWN_DEFAULTS, PLUGIN_CONFIGS, THEMES, broker_config};
use super::definition::{ConfigDef, Effect};
use super::group::{GROUP_CONFIGS, group_config_synonym};
use super::topic::{INTERNAL_TOPIC_CONFIGS, TOPIC_CONFIGS, topic_config_synonyms};

/// The text of `docs/configuration.md`, made from the tables of configs.
pub fn render_markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    own_defaults(&mut out);
    topic_configs(&mut out);
    group_configs(&mut out);
    out.push_str("\n## Broker configs\n");
    for (title, defs) in THEMES {
        let _ = write!(out, "\n### {title}\n\n{BROKER_HEAD}");
        broker_rows(&mut out, defs.iter());
    }
    let _ = write!(out, "\n### Internal\n\n{INTERNAL}\n{BROKER_HEAD}");
    broker_rows(&mut out, INTERNAL_BROKER_CONFIGS);
    let _ = write!(out, "\n### Of plugins\n\n{PLUGINS}\n| Name | What it is | Effect |\n|---|---|---|\n");
    for config in PLUGIN_CONFIGS {
        let any = if config.name.ends_with('.') { "*" } else { "" };
        let _ = writeln!(out, "| `{}{any}` | {} | {} |", config.name, config.doc, effect(config.effect));
    }
    out
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the tables in broker/src/config: UPDATE_DOCS=1 cargo test -p brooklet --test config -->

Every config of Apache Kafka 4.3.1 is known here, by Kafka's name, and checked by Kafka's rules. A config either
works or has no effect, in which case the tables say why: it is accepted, stored and shown, so that a production
configuration starts as it is. A name that Kafka does not know is refused, with the nearest one that it does.

## Where broker configs are set

Flags come before environment variables, and those before the configuration file.

- **Files** are Java properties, as Kafka's own `server.properties`, or YAML if their name ends in `.yaml` or `.yml`.
  In YAML a name may be taken apart at its dots, and a list may be written as one.
- **Environment variables** are `BROOKLET_` and the name in capitals, with `_` for a dot, `__` for an underscore and
  `___` for a dash: `BROOKLET_LOG_SEGMENT_BYTES` is `log.segment.bytes`.
- **One listener** has a config to itself as `listener.name.<listener>.<config>`, the listener in small letters.
- **While the broker runs**, AlterConfigs and IncrementalAlterConfigs change what the tables call *per-broker* (of
  this broker only) and *cluster-wide* (of this broker, or of the one without a name). What they set comes before
  everything else. A name that nobody knows is kept there for plugins, as in Kafka. What an open listener was made
  from changes only with a restart.
";

const INTERNAL: &str = "\
Kafka knows these but shows them only when they are set.
";

const PLUGINS: &str = "\
Kafka hands these to plugins without knowing them; they are accepted as they are.
";

const BROKER_HEAD: &str = "\
| Name | Type | Default | Allowed | Update | What it is | Effect |
|---|---|---|---|---|---|---|
";

fn own_defaults(out: &mut String) {
    out.push_str("\n## Defaults that differ from Kafka's\n\n| Name | Here | In Kafka | Why |\n|---|---|---|---|\n");
    for own in OWN_DEFAULTS {
        let here = broker_config(own.name).and_then(|def| def.default);
        let (here, kafka) = (value(here), value(own.kafka));
        let _ = writeln!(out, "| `{}` | {here} | {kafka} | {} |", own.name, own.reason);
    }
}

fn topic_configs(out: &mut String) {
    out.push_str(
        "\n## Topic configs\n\nA config that a topic does not set has the value of the broker config beside it, if there is one.\n\n\
         | Name | Type | Default | Allowed | Broker config | What it is | Effect |\n|---|---|---|---|---|---|---|\n",
    );
    for def in TOPIC_CONFIGS.iter().chain(&INTERNAL_TOPIC_CONFIGS) {
        let synonyms = topic_config_synonyms(def.name).iter();
        let names: Vec<_> = synonyms.map(|synonym| format!("`{}`", synonym.name)).collect();
        row(out, def, &names.join(", "));
    }
}

fn group_configs(out: &mut String) {
    out.push_str(
        "\n## Group configs\n\nA config that a group does not set has the value of the broker config beside it, if there is one, whose\n\
         bounds it must keep to. It may be set before there is such a group, and stays when the group has gone.\n\n\
         | Name | Type | Default | Allowed | Broker config | What it is | Effect |\n|---|---|---|---|---|---|---|\n",
    );
    for def in GROUP_CONFIGS {
        let synonym = group_config_synonym(def.name).map(|name| format!("`{name}`"));
        row(out, def, &synonym.unwrap_or_default());
    }
}

fn broker_rows<'a>(out: &mut String, defs: impl IntoIterator<Item = &'a ConfigDef>) {
    for def in defs {
        row(out, def, &def.update.to_string());
    }
}

fn row(out: &mut String, def: &ConfigDef, fifth: &str) {
    let _ = writeln!(
        out,
        "| `{}` | {} | {} | {} | {fifth} | {} | {} |",
        def.name,
        def.ty.to_string().to_lowercase(),
        value(def.default),
        def.validator,
        def.doc,
        effect(def.effect),
    );
}

fn value(text: Option<&str>) -> String {
    match text {
        None => "null".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) => format!("`{text}`"),
    }
}

fn effect(effect: Effect) -> String {
    match effect {
        Effect::Works => "works".to_owned(),
        Effect::Inert(reason) => format!("none: {reason}"),
    }
}
