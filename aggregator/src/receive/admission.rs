//! Who may ship, and as which agent: what the door says of them, and what is known of the agent that they say they are.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use clew_proto::v1::agent_message::Message;
use tonic::{Request, Status};
use uuid::Uuid;

use super::ingest::Sessions;
use super::session::Peer;
use crate::access::door::Refused;
use crate::access::gate;
use crate::access::principal::{Principal, Scope};
use crate::catalog::registry::Agent;
use crate::listen::connection::Caller;
use crate::wal::entry::uuid;

/// Whoever ships, as the door let them in.
pub struct Shipper {
    pub(super) principal: Principal,
    pub(super) address: IpAddr,
}

impl Sessions {
    /// Lets in who shows a certificate or a token for it.
    pub(super) fn admit<T>(&self, request: &Request<T>) -> Result<Shipper, Status> {
        let caller = request.extensions().get::<Caller>();
        let address = caller.map_or(IpAddr::from(Ipv4Addr::UNSPECIFIED), |caller| caller.address);
        let certificate = caller.and_then(|caller| caller.certificate.as_deref());
        let bearer = gate::bearer(request.metadata().as_ref());
        let principal = self.gate.door.admit(bearer, certificate, Scope::Ingest);
        principal.map(|principal| Shipper { principal, address }).map_err(|refused| self.refuse(address, &refused))
    }

    /// Whether they may ship as the agent `id` of `host`.
    pub(super) fn admit_agent(&self, shipper: &Shipper, id: Uuid, host: &str) -> Result<(), Refused> {
        admit_host(&shipper.principal, host)?;
        match self.registry.read().agents.get(&id) {
            // An agent that gets another name was that of a host that they may ship for as well.
            Some(known) => self.may_ship_as(shipper, known),
            None => Ok(()),
        }
    }

    /// Whether they may ship as an agent that is known.
    pub(super) fn may_ship_as(&self, shipper: &Shipper, known: &Agent) -> Result<(), Refused> {
        let principal = &shipper.principal;
        if !known.host.is_empty() {
            admit_host(principal, &known.host)?;
        }
        // What is bound to the host says more than whose it was.
        let is_own = !principal.hosts.is_empty() || principal.owner() == known.owner;
        match &known.owner {
            Some(owner) if !is_own && self.gate.door.locks().grpc && self.gate.door.knows(owner) => {
                let (name, host) = (principal.name.clone(), known.host.clone());
                Err(Refused::Agent { name, host, owner: owner.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Whether they may still, and may say this: a source of another agent is opened by who may ship as that one.
    pub(super) fn may_say(&self, shipper: &Shipper, peer: &Peer, message: Option<&Message>) -> Result<(), Refused> {
        self.gate.door.may_stay(&shipper.principal, Scope::Ingest)?;
        let Some(Message::OpenSource(open)) = message else { return Ok(()) };
        let state = self.registry.read();
        let known = uuid(&open.source_id).and_then(|id| state.sources.get(&id));
        match known.map(|entry| entry.source.agent).filter(|agent| *agent != peer.agent) {
            Some(other) => state.agents.get(&other).map_or(Ok(()), |other| self.may_ship_as(shipper, other)),
            None => Ok(()),
        }
    }

    /// Writes down whose the agent is, if that is new: after a crash nobody else can say that it is theirs. The error is why it cannot.
    pub(super) async fn bind(&self, shipper: &Shipper, id: Uuid) -> Result<(), String> {
        let Some(owner) = shipper.principal.owner() else { return Ok(()) };
        let Some(before) = self.registry.write().bind(id, Some(owner)) else { return Ok(()) };
        let (catalog, registry) = (Arc::clone(&self.catalog), Arc::clone(&self.registry));
        let saved = tokio::task::spawn_blocking(move || catalog.save_agents(&registry)).await;
        let failed = match saved {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        // The next session tries again.
        self.registry.write().bind(id, before);
        Err(failed)
    }

    /// Counts and logs who is refused, and says it.
    pub(super) fn refuse(&self, address: IpAddr, refused: &Refused) -> Status {
        self.gate.refused(&self.metrics, gate::GRPC, address, refused);
        match refused {
            Refused::Scope { .. } | Refused::Host { .. } | Refused::Agent { .. } => {
                Status::permission_denied(refused.to_string())
            }
            Refused::Missing => Status::unauthenticated(
                "a token or a certificate is needed: name a file with a token for ingest in token_file of agent.toml, or a certificate in \
                 its [tls]",
            ),
            _ => Status::unauthenticated(refused.to_string()),
        }
    }
}

fn admit_host(principal: &Principal, host: &str) -> Result<(), Refused> {
    let refused = || Refused::Host { name: principal.name.clone(), host: host.to_owned() };
    principal.may_ship_as(host).then_some(()).ok_or_else(refused)
}
