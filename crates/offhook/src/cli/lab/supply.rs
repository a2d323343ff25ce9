//! Sets the three phones of bare `offhook` up: they know their MAC addresses alone, ask by PnP on the loopback
//! and are served by HTTP.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use proto::sip::Transport;
use roles::provision::{Edit, Layers, Mac, Provision, Renderer, Restored, Site};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::machine::Machine;
use crate::cli::Failure;
use crate::clock::{self, Clock};
use crate::provision::{self, ForExchange, Listeners, Places, Service, bind_tcp};
use crate::store::Memory;

/// Provisioning that is not served yet.
pub(super) struct Supply {
    service: Service,
    accounts: mpsc::UnboundedReceiver<ForExchange>,
    places: Places,
}

/// A phone that is to be served.
pub(super) struct Wanted {
    pub(super) mac: [u8; 6],
    pub(super) number: &'static str,
    pub(super) settings: BTreeMap<String, String>,
}

impl Supply {
    /// Provisioning beside an exchange at `ip`.
    ///
    /// # Errors
    /// The address is none of this machine, or a phone cannot be served: why, in words.
    pub(super) fn open(
        ip: IpAddr,
        realm: &'static str,
        clock: Clock,
        phones: Vec<Wanted>,
    ) -> Result<Self, Failure> {
        let http = bind_tcp(SocketAddr::new(ip, 0), "the lab")?;
        let base = format!("http://{}", http.local_addr()?);
        let failed = |why: String| Failure::Failed(why);
        let renderer =
            Renderer::new(Vec::new(), Layers::default()).map_err(|fault| failed(fault.to_string()))?;
        let site =
            Site { sip_host: ip.to_string(), sip_port: Transport::Udp.default_port(), sip_transport: 0 };
        let seed = clock::seed()?;
        let mut provision = Provision::new(renderer, site, Some(base), Restored::default(), seed);
        for Wanted { mac, number, settings } in phones {
            let edit = Edit {
                number: Some(Some(number.to_owned())),
                label: Some(number.to_owned()),
                approved: Some(true),
                settings: Some(settings),
                ..Edit::default()
            };
            provision.edit(Mac(mac), edit).map_err(failed)?;
        }
        let places = Places { http: Some(http), pnp: Some(ip), ..Places::default() };
        let store = Box::new(Memory::default());
        let (service, accounts) = Service::new(provision, store, None, realm, clock);
        Ok(Self { service, accounts, places })
    }

    /// For the exchange, which tells it which phones have registered, and for its HTTP API.
    pub(super) fn service(&self) -> Service {
        self.service.clone()
    }

    /// Serves, and tells the exchange of the phones' accounts.
    ///
    /// # Errors
    /// The system gives no thread, or PnP cannot be heard on that address.
    pub(super) fn start(self, exchange: &Machine) -> Result<Listeners, Failure> {
        let Self { service, accounts, places } = self;
        if let Some(commander) = exchange.commander() {
            spawn_local(provision::tell(accounts, commander));
        }
        Ok(Listeners::start(service, places)?)
    }
}
