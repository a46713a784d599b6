//! Which addresses may be called: the public ones, and others where the project allows them.
//!
//! Addresses of documents are written by people and sent by servers (redirects, links, resources of a catalogue). One that
//! leads to this machine, to its network or to the metadata service of a cloud would make of us what fetches it from inside.
//! So each address is looked at before each request, and each name when it is resolved: only what was found good is
//! connected to, whatever a second resolution would say.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs as _;

use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;
use url::Host;
use url::Url;

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddressError {
    #[error("`{host}` is an address of a private network")]
    Private { host: String },
    #[error("no address is known for `{host}`")]
    Unknown { host: String, source: io::Error },
}

impl AddressError {
    /// The one that an error of the client came of.
    pub(super) fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

/// The host of a URL that is an address not to be called; names are looked at when they are resolved.
pub(super) fn private_host(url: &Url) -> Option<String> {
    let address = match url.host()? {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(_) => return None,
    };
    (!is_public(address)).then(|| address.to_string())
}

/// Resolves names, and leaves out addresses that may not be called.
#[derive(Debug)]
pub(super) struct Resolver {
    /// Whether every address may be called.
    pub(super) private: bool,
    /// Hosts of proxies, which may stand anywhere.
    pub(super) proxies: BTreeSet<String>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let private = self.private || self.proxies.contains(&host);
        Box::pin(async move {
            let asked = host.clone();
            let found = tokio::task::spawn_blocking(move || {
                (asked.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>)
            });
            let found = found.await.map_err(io::Error::other).and_then(|found| found);
            let found = found.map_err(|source| AddressError::Unknown { host: host.clone(), source })?;
            Ok(Box::new(allowed(host, found, private)?.into_iter()) as Addrs)
        })
    }
}

fn allowed(host: String, mut found: Vec<SocketAddr>, private: bool) -> Result<Vec<SocketAddr>, AddressError> {
    let some = !found.is_empty();
    found.retain(|address| private || is_public(address.ip()));
    if found.is_empty() && some { Err(AddressError::Private { host }) } else { Ok(found) }
}

/// Whether an address is one of the public network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let reserved = match address.octets() {
        // This network; shared by carriers; protocol assignments; benchmarks; class E.
        [0 | 240..=255, ..] | [192, 0, 0, _] | [198, 18..=19, ..] => true,
        [100, second, ..] => second & 0b1100_0000 == 0b0100_0000,
        _ => false,
    };
    !(reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [.., third, fourth] = segments;
    let inside = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4 in IPv6: mapped, compatible, translated (NAT64), 6to4. `::` and `::1` are among the compatible ones.
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => inside(third, fourth),
        [0x2002, high, low, ..] => inside(high, low),
        // Private translation, documentation.
        [0x64, 0xff9b, ..] | [0x2001, 0xdb8, ..] => false,
        [first, ..] => {
            let (unique_local, link_or_site_local) = (first & 0xfe00 == 0xfc00, first & 0xff80 == 0xfe80);
            !(unique_local || link_or_site_local || address.is_multicast())
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::loopback("http://127.0.0.1/", false)]
    #[case::loopback_otherwise("http://127.9.9.9/", false)]
    #[case::loopback_as_a_number("http://2130706433/", false)]
    #[case::loopback_in_hexadecimal("http://0x7f.1/", false)]
    #[case::this_network("http://0.0.0.0/", false)]
    #[case::private_10("http://10.1.2.3/", false)]
    #[case::private_172("http://172.31.0.1/", false)]
    #[case::beside_private_172("http://172.32.0.1/", true)]
    #[case::private_192("http://192.168.1.1/", false)]
    #[case::metadata_of_a_cloud("http://169.254.169.254/latest/meta-data/", false)]
    #[case::carrier("http://100.64.0.1/", false)]
    #[case::beside_carrier("http://100.128.0.1/", true)]
    #[case::benchmark("http://198.19.0.1/", false)]
    #[case::documentation("http://192.0.2.1/", false)]
    #[case::multicast("http://224.0.0.1/", false)]
    #[case::broadcast("http://255.255.255.255/", false)]
    #[case::public("http://93.184.216.34/", true)]
    #[case::loopback_6("http://[::1]/", false)]
    #[case::unspecified_6("http://[::]/", false)]
    #[case::unique_local_6("http://[fd00:ec2::254]/", false)]
    #[case::link_local_6("http://[fe80::1]/", false)]
    #[case::mapped_private("http://[::ffff:10.0.0.1]/", false)]
    #[case::mapped_public("http://[::ffff:93.184.216.34]/", true)]
    #[case::translated_private("http://[64:ff9b::a00:1]/", false)]
    #[case::six_to_four_private("http://[2002:a00:1::1]/", false)]
    #[case::public_6("http://[2a01:e0a::1]/", true)]
    #[case::a_name("http://localhost/", true)]
    fn private_addresses_are_known_however_they_are_spelled(#[case] url: &str, #[case] public: bool) {
        assert_eq!(private_host(&Url::parse(url).unwrap()).is_none(), public);
    }

    #[test]
    fn a_name_keeps_its_public_addresses_only() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let both = addresses(&["10.0.0.1:0", "93.184.216.34:0"]);
        assert_eq!(allowed("a.example".to_owned(), both.clone(), false).unwrap(), both[1..]);
        assert_eq!(allowed("a.example".to_owned(), both.clone(), true).unwrap(), both);
        let refused = allowed("a.example".to_owned(), both[..1].to_vec(), false).unwrap_err();
        assert_eq!(refused.to_string(), "`a.example` is an address of a private network");
    }
}
