//! Names that DNS does not resolve.

use super::super::finding::{Finding, Severity};
use super::super::tracks::Lookup;
use super::case::{Case, Findings, SHORT};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "dns.nxdomain",
        title: "The name of the SIP server does not exist",
        seen: "DNS answers that there is no such name, or no address for it.",
        hurts: "The account cannot be registered.",
        example: "A pbx.exmaple · no such name",
        remedy: &[
            "Check the spelling of the server in the account (`account.N.sip_server.1.address`).",
            "Ask the DNS server that the phone uses: another one may know names of the inside alone.",
            "Set the server's IP address to see whether the rest works.",
        ],
        reference: "RFC 1035 §4.1.1, RFC 3263 §4",
    },
    Explanation {
        code: "dns.no-answer",
        title: "DNS does not answer for the SIP server",
        seen: "Questions for the server's name stay without an answer, or DNS says that it failed.",
        hurts: "The account cannot be registered.",
        example: "A pbx.example, again after 5 s, again",
        remedy: &[
            "Check the DNS servers that the phone got by DHCP or has in its network page.",
            "Look whether a firewall drops UDP port 53 from the phone's VLAN.",
        ],
        reference: "RFC 1035 §4.2.1, RFC 3263 §4",
    },
    Explanation {
        code: "prov.dns",
        title: "The name of the provisioning server does not resolve",
        seen: "Option 66, PnP or the profile names a server for which DNS has no address.",
        hurts: "The phone gets no configuration.",
        example: "option 66 http://prov.exmaple/ · A prov.exmaple · no such name",
        remedy: &[
            "If the provisioning server address is a domain name, make sure DNS works normally so that the phone can resolve it.",
            "Check the spelling of the name in option 66, in the PnP answer or in the Profile Rule.",
        ],
        reference: "RFC 1035 §4.1.1; deck, Auto Provisioning-Troubleshooting",
    },
];

const A: u16 = 1;
const AAAA: u16 = 28;
const NO_SUCH_NAME: u16 = 3;
/// The server speaks another version of EDNS, and is asked again without it (RFC 6891 §6.1.3): it says nothing of the name.
const BAD_VERSION: u16 = 16;
/// Names that have nothing to do with SIP or provisioning.
const OTHERS: &[&str] =
    &["ntp", "time", "wpad", "isatap", "arpa", "local", "connectivitycheck", "msftncsi", "msftconnecttest"];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for lookup in &case.tracks.lookups {
        if lookup.kind != AAAA && is_failed(case, lookup) && !is_healed(case, lookup) {
            tell(case, found, lookup);
        }
    }
}

fn is_failed(case: &Case<'_>, lookup: &Lookup) -> bool {
    let waited = lookup.asked.first().is_some_and(|first| case.rest(*first) >= SHORT);
    match lookup.rcode {
        Some(0) => lookup.kind == A && lookup.records.is_empty(),
        Some(BAD_VERSION) => false,
        Some(_) => lookup.kind == A,
        None => lookup.answered.is_none() && lookup.asked.len() >= 2 && waited && lookup.kind == A,
    }
}

/// Whether the name, or the one to which a search list added a domain, resolves all the same.
fn is_healed(case: &Case<'_>, lookup: &Lookup) -> bool {
    case.tracks.lookups.iter().any(|other| {
        let related = other.name == lookup.name
            || lookup.name.strip_prefix(&*other.name).is_some_and(|rest| rest.starts_with('.'))
            || other.name.strip_prefix(&*lookup.name).is_some_and(|rest| rest.starts_with('.'));
        related && matches!(other.kind, A | AAAA) && other.rcode == Some(0) && !other.records.is_empty()
    })
}

fn tell(case: &Case<'_>, found: &mut Findings, lookup: &Lookup) {
    let name = &*lookup.name;
    let labels = || name.split('.');
    if labels().any(|label| OTHERS.contains(&label) || label.starts_with('_'))
        || lookup.path.destination.port() != 53
    {
        return;
    }
    let is_provisioning = names_provisioning(case, name);
    // Without any name service for SIP of this host, one that fails for a stranger says nothing.
    let is_sip = is_sip_name(case, lookup);
    let code = match (is_provisioning, is_sip, lookup.rcode) {
        (true, false, _) => "prov.dns",
        (_, true, Some(0 | NO_SUCH_NAME)) => "dns.nxdomain",
        (_, true, _) => "dns.no-answer",
        _ => return,
    };
    let cause = match lookup.rcode {
        Some(NO_SUCH_NAME) => format!("DNS says that `{name}` does not exist: most likely it is misspelt."),
        Some(0) => format!("`{name}` exists, and has no address."),
        Some(code) => format!("DNS cannot answer for `{name}` (RCODE {code})."),
        None => format!("The DNS server {} does not answer.", lookup.path.destination.ip()),
    };
    let mut finding = Finding::new(code, Severity::Error, name).cause(cause);
    for asked in lookup.asked.iter().take(3) {
        finding.prove(Some(*asked), format!("asks for {name}"));
    }
    finding.prove(lookup.answered, "no address");
    found.add(finding);
}

fn names_provisioning(case: &Case<'_>, name: &str) -> bool {
    let names = |url: &str| {
        let url = url.to_ascii_lowercase();
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default();
        host == name || name.strip_prefix(host).is_some_and(|rest| !host.is_empty() && rest.starts_with('.'))
    };
    let tracks = case.tracks;
    tracks.leases.iter().any(|lease| lease.option66.as_deref().is_some_and(names))
        || tracks.provisioning.iter().any(|run| run.url.as_deref().is_some_and(names))
        || tracks
            .provisioning
            .iter()
            .filter_map(|run| run.pnp.as_ref())
            .any(|pnp| pnp.answers.iter().any(|(_, url, _)| url.as_deref().is_some_and(names)))
        || settings(case)
            .any(|(key, value)| (key.contains("profile") || key.contains("provision")) && names(&value))
        || name.split('.').any(|label| {
            ["prov", "provision", "provisioning", "rps", "tftp", "autoprov", "redirect"].contains(&label)
        })
}

fn is_sip_name(case: &Case<'_>, lookup: &Lookup) -> bool {
    let (name, asker) = (&*lookup.name, lookup.path.source.ip());
    let tracks = case.tracks;
    let by_service = tracks.lookups.iter().any(|other| {
        let service =
            ["_sip._udp.", "_sip._tcp.", "_sips._tcp."].iter().find_map(|head| other.name.strip_prefix(head));
        other.path.source.ip() == asker
            && (service == Some(name) || (other.kind == 35 && *other.name == *name))
    });
    let by_account = tracks
        .registrations
        .iter()
        .any(|it| it.domain.split(':').next().is_some_and(|domain| domain.eq_ignore_ascii_case(name)));
    let by_config =
        settings(case).any(|(key, value)| key.contains("server") && value.eq_ignore_ascii_case(name));
    let sounds_so = name.split(['.', '-']).any(|label| {
        ["sip", "sips", "pbx", "voip", "registrar", "proxy", "sbc", "ims"]
            .iter()
            .any(|word| label.starts_with(word))
    });
    // A phone that does nothing else asks for nothing else.
    let is_phone = tracks.devices.iter().any(|it| it.addresses.contains(&asker) && it.model.is_some())
        || tracks.provisioning.iter().any(|run| run.address == asker && run.device.is_some());
    by_service || by_account || by_config || sounds_so || (is_phone && !names_provisioning(case, name))
}

/// Keys and values of all configuration files.
pub(super) fn settings<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (String, String)> + 'a {
    let all = case.tracks.configs.iter().flat_map(|config| &config.assignments);
    all.filter_map(|assignment| match &assignment.given {
        crate::settings::Given::Text(text) => Some((assignment.key.to_string(), text.to_string())),
        _ => None,
    })
}
