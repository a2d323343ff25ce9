//! Files made for one device: templates with the variables of site, model and device.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use super::device::Device;
use crate::settings::Model;

/// The template of the deck's models.
const FLYINGVOICE: &str = "flyingvoice.cfg";
/// The template of phones that read the relative's dialect.
const YEALINK: &str = "yealink.cfg";
/// Templates that are there without a folder.
const BUILT_IN: [(&str, &str); 2] = [
    (FLYINGVOICE, include_str!("templates/flyingvoice.cfg")),
    (YEALINK, include_str!("templates/yealink.cfg")),
];
/// The largest file that is made, in bytes.
const MOST_BYTES: usize = 1_000_000;
/// Steps that a template may take: one that goes in circles ends.
const MOST_STEPS: u64 = 200_000;

/// Values by their names.
pub type Variables = BTreeMap<String, Variable>;

/// A value of a variable, with its type.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Variable {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// Where phones find the exchange.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Site {
    /// Its host.
    pub sip_host: String,
    /// Its port.
    pub sip_port: u16,
    /// As `transport_type` has it: 0 UDP, 1 TCP, 2 TLS.
    pub sip_transport: u8,
}

/// Variables of one layer over another: site, model, device.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Layers {
    /// For all devices.
    pub site: Variables,
    /// By model.
    pub model: BTreeMap<String, Variables>,
    /// By MAC address.
    pub device: BTreeMap<String, Variables>,
}

/// Makes files.
#[derive(Debug)]
pub struct Renderer {
    templates: Environment<'static>,
    layers: Layers,
}

/// Why no file was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenderFault {
    /// The template's name.
    pub template: String,
    /// Its line, from 1, where the fault has one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for RenderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.template)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for RenderFault {}

impl Renderer {
    /// A renderer with the built-in templates, of which `own` replace those of the same name.
    ///
    /// # Errors
    /// A template that cannot be read.
    pub fn new(own: Vec<(String, String)>, layers: Layers) -> Result<Self, RenderFault> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_keep_trailing_newline(true);
        templates.set_fuel(Some(MOST_STEPS));
        // A file is no page: nothing is escaped, and a line break in a value was refused before.
        templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        let built_in = BUILT_IN.map(|(name, text)| (name.to_owned(), text.to_owned()));
        for (name, text) in built_in.into_iter().chain(own) {
            templates.add_template_owned(name.clone(), text).map_err(|error| fault(&name, &error))?;
        }
        Ok(Self { templates, layers })
    }

    /// Whether a template of that name is there.
    pub fn has(&self, template: &str) -> bool {
        self.templates.get_template(template).is_ok()
    }

    /// Makes the configuration of a device; `url` is its folder here, where it has one.
    ///
    /// # Errors
    /// An undefined variable or another fault of the template, with file and line.
    pub fn configuration(
        &self,
        device: &Device,
        display: Option<&str>,
        site: &Site,
        url: Option<&str>,
    ) -> Result<String, RenderFault> {
        let name = device.template.as_deref().unwrap_or_else(|| template_of(&device.model));
        let mut variables = Variables::new();
        variables.extend(self.layers.site.clone());
        let of_model = self.layers.model.iter().find(|(model, _)| model.eq_ignore_ascii_case(&device.model));
        variables.extend(of_model.map(|(_, own)| own.clone()).unwrap_or_default());
        variables.extend(self.layers.device.get(&device.mac.to_string()).cloned().unwrap_or_default());
        let settings: Vec<(&String, &String)> = device.settings.iter().collect();
        let about = context! {
            mac => device.mac.to_string(),
            model => device.model,
            number => device.number.as_deref().unwrap_or_default(),
            account => device.account,
            label => device.label,
            display => display,
            user => device.credential.user,
            password => device.credential.password.expose(),
            url => url,
        };
        let own = Value::from_serialize(&variables);
        let all =
            context! { site => Value::from_serialize(site), device => about, settings => settings, ..own };
        let template = self.templates.get_template(name).map_err(|error| fault(name, &error))?;
        let text = template.render(all).map_err(|error| fault(name, &error))?;
        if text.len() > MOST_BYTES {
            let message = format!("the file would have more than {MOST_BYTES} bytes");
            return Err(RenderFault { template: name.to_owned(), line: None, message });
        }
        Ok(text)
    }
}

/// The template of a model, where the device has none of its own.
fn template_of(model: &str) -> &'static str {
    if Model::named(model).is_some() { FLYINGVOICE } else { YEALINK }
}

/// Whether a model's files are made here; the deck's, and `Yealink` for others of that dialect.
pub fn knows_model(model: &str) -> bool {
    Model::named(model).is_some() || model.to_ascii_lowercase().starts_with("yealink")
}

fn fault(template: &str, error: &minijinja::Error) -> RenderFault {
    let what = match error.kind() {
        ErrorKind::UndefinedError => "a variable is not defined".to_owned(),
        ErrorKind::TemplateNotFound => "there is no such template".to_owned(),
        kind => kind.to_string(),
    };
    let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let template = error.name().unwrap_or(template).to_owned();
    RenderFault { template, line: error.line(), message: format!("{what}{detail}") }
}

#[cfg(test)]
mod tests {
    use proto::Rng;

    use super::*;
    use crate::mac::Mac;
    use crate::settings::{AccountSettings, Settings, Source, parse_cfg};

    fn device(model: &str) -> Device {
        let mac = Mac::parse("0021f222b021").expect("a MAC address");
        let device = Device::new(mac, model, &mut Rng::from_number(1));
        Device { number: Some("7001".into()), approved: true, label: "Front Desk".into(), ..device }
    }

    fn site() -> Site {
        Site { sip_host: "127.0.50.19".into(), sip_port: 5_060, sip_transport: 0 }
    }

    #[test]
    fn each_model_of_the_deck_gets_a_file_without_a_fault() {
        let renderer = Renderer::new(Vec::new(), Layers::default()).expect("sound templates");
        for model in crate::settings::MODELS {
            let mut device = device(model.name);
            device.settings.insert("account.1.ptime".into(), "30".into());
            let text = renderer
                .configuration(&device, Some("Jack"), &site(), Some("http://127.0.50.19:8069/p/x/"))
                .expect("rendered");
            let (assignments, faults) = parse_cfg(&text, Source::MacCfg);
            assert_eq!(faults, [], "{text}");
            let mut settings = Settings::new(model);
            assert_eq!(settings.apply(&assignments).faults, []);
            let account = AccountSettings::read(&settings, 1);
            assert!(account.can_register() && account.ptime_ms == Some(30), "{text}");
            assert_eq!((account.user.as_str(), account.display_name.as_str()), ("7001", "Jack"));
            assert_eq!(account.auth_name, device.credential.user);
            assert_eq!(account.password.expose(), device.credential.password.expose());
        }
        let text = renderer.configuration(&device("Yealink T46S"), None, &site(), None).expect("rendered");
        assert_eq!(parse_cfg(&text, Source::MacCfg).1, []);
    }

    #[test]
    fn layers_lie_over_each_other_and_an_undefined_one_is_an_error_with_its_line() {
        let text = |value: &str| Variable::Text(value.to_owned());
        let layer = |values: &[(&str, &str)]| {
            values.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect::<Variables>()
        };
        let layers = Layers {
            site: layer(&[("a", "site"), ("b", "site"), ("c", "site")]),
            model: [("fip14g".to_owned(), layer(&[("b", "model"), ("c", "model")]))].into(),
            device: [("0021f222b021".to_owned(), layer(&[("c", "device")]))].into(),
        };
        let own = vec![
            ("mine".to_owned(), "{{ a }} {{ b }} {{ c }}".to_owned()),
            ("wrong".to_owned(), "#!version\n\nx = {{ nowhere }}\n".to_owned()),
        ];
        let renderer = Renderer::new(own, layers).expect("sound templates");
        let mut device = device("FIP14G");
        device.template = Some("mine".into());
        let made = renderer.configuration(&device, None, &site(), None).expect("rendered");
        assert_eq!(made, "site model device");
        device.template = Some("wrong".into());
        let fault = renderer.configuration(&device, None, &site(), None).expect_err("undefined");
        assert_eq!((fault.template.as_str(), fault.line), ("wrong", Some(3)), "{fault}");
        device.template = Some("gone".into());
        let fault = renderer.configuration(&device, None, &site(), None).expect_err("none");
        assert!(fault.to_string().contains("there is no such template"), "{fault}");
    }

    #[test]
    fn a_template_that_goes_in_circles_ends() {
        let circle = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        let own = vec![("circle".to_owned(), circle.to_owned())];
        let renderer = Renderer::new(own, Layers::default()).expect("sound");
        let device = Device { template: Some("circle".into()), ..device("FIP14G") };
        assert!(renderer.configuration(&device, None, &site(), None).is_err());
        let bad = Renderer::new(vec![("bad".to_owned(), "a\n{% if %}".to_owned())], Layers::default());
        assert_eq!(bad.expect_err("unsound").line, Some(2));
    }
}
