//! Compressed forms of files: made once, for clients that ask for one and for kinds of files that gain by it.

use std::io::Write as _;

use axum::http::{HeaderMap, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt as _;

use crate::store::{ByteStream, StoreError};

/// Files below this size gain nothing.
pub(super) const SMALLEST: u64 = 600;
/// Files above this size are sent as they are: whoever wants those takes Parquet.
pub(super) const LARGEST: u64 = 16 << 20;
/// Bytes that a compressed form may have and be kept.
const KEPT: usize = 4 << 20;

/// Whether a client takes gzip (RFC 9110, section 12.5.3). Who says nothing is sent the file as it is.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut named = None;
    let mut any = false;
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok());
        let wanted = weight.is_some_and(|weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => named = Some(wanted),
            "*" => any = wanted,
            _ => {}
        }
    }
    named.unwrap_or(any)
}

/// Whether files of a media type gain by it.
pub(super) fn gains(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or(media_type);
    let ends = ["/json", "+json", "/xml", "+xml", "/yaml", "/javascript"];
    name.starts_with("text/") || ends.iter().any(|end| name.ends_with(end))
}

/// Bytes that are compressed at a time, however they arrive: where its input is cut shows in what a compressor gives.
const BLOCK: usize = 64 << 10;

/// Compresses bytes as they arrive; nothing when the outcome is too large to be kept or hardly smaller. The same bytes in
/// give the same bytes out.
pub(super) async fn gzip(mut bytes: ByteStream, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let most = usize::try_from(size - size / 16).unwrap_or(usize::MAX).min(KEPT);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut block = Vec::with_capacity(BLOCK);
    while let Some(mut piece) = bytes.try_next().await? {
        while !piece.is_empty() {
            let taken = piece.split_to(piece.len().min(BLOCK - block.len()));
            block.extend_from_slice(&taken);
            if block.len() == BLOCK {
                // A block at a time is short enough to be done between other requests.
                if encoder.write_all(&block).is_err() || encoder.get_ref().len() > most {
                    return Ok(None);
                }
                block.clear();
                tokio::task::yield_now().await;
            }
        }
    }
    if encoder.write_all(&block).is_err() {
        return Ok(None);
    }
    Ok(encoder.finish().ok().filter(|compressed| compressed.len() <= most))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use bytes::Bytes;
    use futures::StreamExt as _;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_said(None, false)]
    #[case::gzip(Some("gzip"), true)]
    #[case::among_others(Some("br;q=1.0, gzip;q=0.8, *;q=0.1"), true)]
    #[case::capitals(Some("GZIP"), true)]
    #[case::refused(Some("gzip;q=0, *"), false)]
    #[case::anything(Some("*"), true)]
    #[case::nothing_but_the_file(Some("identity"), false)]
    #[case::other_codings(Some("br, zstd"), false)]
    #[case::empty(Some(""), false)]
    #[case::broken_weight(Some("gzip;q=x"), false)]
    fn who_takes_gzip(#[case] header: Option<&'static str>, #[case] takes: bool) {
        let values = header.map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
        assert_eq!(takes_gzip(&HeaderMap::from_iter(values)), takes);
    }

    #[rstest]
    #[case("text/csv; charset=utf-8", true)]
    #[case("application/geo+json", true)]
    #[case("application/json", true)]
    #[case("image/svg+xml", true)]
    #[case("text/javascript; charset=utf-8", true)]
    #[case("application/vnd.apache.parquet", false)]
    #[case("image/png", false)]
    #[case("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", false)]
    fn what_gains_by_it(#[case] media_type: &str, #[case] expected: bool) {
        assert_eq!(gains(media_type), expected);
    }

    #[tokio::test]
    async fn the_same_bytes_give_the_same_bytes_and_noise_is_left_as_it_is() {
        let text = "id,nom\n".repeat(1000);
        let pieces = |size: usize| {
            let pieces: Vec<Result<Bytes, StoreError>> =
                text.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            futures::stream::iter(pieces).boxed()
        };
        let (one, many) = (gzip(pieces(7000), 7000).await.unwrap(), gzip(pieces(100), 7000).await.unwrap());
        assert!(one.as_ref().is_some_and(|bytes| bytes.len() < 200));
        assert_eq!(one, many);
        let noise: Vec<u8> = (0..7000).map(|_| rand::random()).collect();
        let noise = futures::stream::iter([Ok(Bytes::from(noise))]).boxed();
        assert_eq!(gzip(noise, 7000).await.unwrap(), None);
    }
}
