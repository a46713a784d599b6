//! Who asks: an address, for nothing but to share turns among those who ask. It is written nowhere.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};

/// Everybody without an address.
pub(super) const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The header in which a web server before this one says for whom it asks.
const FORWARDED: &str = "x-forwarded-for";

/// Leaves with a request from where it comes: from the other side of the connection, or, behind a web server of one's own,
/// from where that one says, which is the last address of its header.
pub(super) fn mark<B>(mut request: Request<B>, peer: SocketAddr, behind_proxy: bool) -> Request<B> {
    let told = if behind_proxy { told(request.headers()) } else { None };
    let address = told.map_or(peer, |address| SocketAddr::new(address, 0));
    request.extensions_mut().insert(ConnectInfo(address));
    request
}

fn told(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_itself_counts_only_behind_a_proxy_and_only_its_last_word() {
        let peer: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        let request = || Request::builder().header(FORWARDED, "10.0.0.1, 192.0.2.7").body(()).unwrap();
        let of = |request: Request<()>| request.extensions().get::<ConnectInfo<SocketAddr>>().unwrap().0.ip();
        assert_eq!(of(mark(request(), peer, false)), peer.ip());
        assert_eq!(of(mark(request(), peer, true)), "192.0.2.7".parse::<IpAddr>().unwrap());
        assert_eq!(of(mark(Request::new(()), peer, true)), peer.ip());
    }
}
