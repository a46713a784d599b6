//! Pages and files.

use std::io::Read as _;

use sha2::Digest as _;

use super::{Answer, Service, publish_another, published};
use crate::harness::Project;

/// Path of the current release, without a slash at its end.
fn release_path(project: &Project) -> String {
    format!("/lieux/releases/{}", project.releases("lieux").last().unwrap())
}

fn gunzipped(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn every_file_of_a_release_is_served_byte_by_byte_with_its_type_and_digest() {
    let project = published();
    let service = Service::start(&project);
    let release = release_path(&project);
    let manifest = project.json(&format!("data/public{release}/manifest.json"));
    let files = manifest["files"].as_array().unwrap();
    assert!(files.len() > 10);
    for file in files {
        let path = file["path"].as_str().unwrap();
        let stored = std::fs::read(project.path(&format!("data/public{release}/{path}"))).unwrap();
        let answer = service.get(&format!("{release}/{path}")).expect(200);
        assert!(answer.body == stored, "{path}");
        assert_eq!(answer.header("content-type"), file["media_type"].as_str(), "{path}");
        assert_eq!(answer.header("etag"), Some(format!("\"{}\"", file["sha256"].as_str().unwrap()).as_str()));
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=86400"));
        assert_eq!(answer.header("content-encoding"), None, "nobody asked for another form");
        let head = service.ask("HEAD", &format!("{release}/{path}"), &[]).expect(200);
        let without_date = |answer: &Answer| {
            let headers = answer.headers.iter().filter(|(name, _)| name != "date");
            headers.cloned().collect::<Vec<_>>()
        };
        assert_eq!(without_date(&head), without_date(&answer), "{path}");
    }
    for path in ["manifest.json", "SHA256SUMS"] {
        let stored = std::fs::read(project.path(&format!("data/public{release}/{path}"))).unwrap();
        let answer = service.get(&format!("{release}/{path}")).expect(200);
        assert!(answer.body == stored, "{path}");
        assert_eq!(answer.header("etag"), Some(format!("\"{}\"", hex::encode(sha2::Sha256::digest(&stored))).as_str()));
    }
    let parquet = service.get(&format!("{release}/lieux.parquet")).expect(200);
    assert_eq!(parquet.header("content-type"), Some("application/vnd.apache.parquet"));
    let name = parquet.header("content-disposition").unwrap();
    assert!(name.starts_with("attachment; filename=\"lieux-") && name.ends_with("-lieux.parquet\""), "{name}");
    assert_eq!(service.end().expect(0).stderr.lines().last(), Some("ended"));
}

#[test]
fn who_has_a_file_already_is_told_so() {
    let project = published();
    let service = Service::start(&project);
    let path = format!("{}/lieux.csv", release_path(&project));
    let first = service.get(&path).expect(200);
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    for condition in [("If-None-Match", tag), ("If-None-Match", "*"), ("If-Modified-Since", date)] {
        let answer = service.ask("GET", &path, &[condition]);
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{condition:?}");
        assert_eq!(answer.header("etag"), Some(tag));
        assert_eq!(answer.header("content-type"), None);
    }
    service.ask("GET", &path, &[("If-None-Match", "\"other\"")]).expect(200);
    service.ask("GET", &path, &[("If-Modified-Since", "Thu, 01 Jan 2015 00:00:00 GMT")]).expect(200);
    let refused = service.ask("GET", &path, &[("If-Match", "\"other\"")]).expect(412);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let page = service.get("/lieux/").expect(200);
    let again = service.ask("GET", "/lieux/", &[("If-None-Match", page.header("etag").unwrap())]);
    assert_eq!(again.status, 304, "pages have a digest too");
    service.end().expect(0);
}

#[test]
fn parts_of_a_file_are_to_be_had_and_a_download_goes_on_with_the_same_bytes_only() {
    let project = published();
    let service = Service::start(&project);
    let path = format!("{}/lieux.parquet", release_path(&project));
    let whole = service.get(&path).expect(200);
    let (size, tag) = (whole.body.len(), whole.header("etag").unwrap());
    for (range, from, to) in [
        ("bytes=0-3".to_owned(), 0, 4),
        ("bytes=10-".to_owned(), 10, size),
        ("bytes=-8".to_owned(), size - 8, size),
        (format!("bytes=5-{}", size * 2), 5, size),
    ] {
        let part = service.ask("GET", &path, &[("Range", &range)]).expect(206);
        assert!(part.body == whole.body[from..to], "{range}");
        let told = format!("bytes {from}-{}/{size}", to - 1);
        assert_eq!(part.header("content-range"), Some(told.as_str()));
        assert_eq!(part.header("etag"), Some(tag));
    }
    let outside = service.ask("GET", &path, &[("Range", &format!("bytes={size}-"))]).expect(416);
    assert_eq!(outside.header("content-range"), Some(format!("bytes */{size}").as_str()));
    let several = service.ask("GET", &path, &[("Range", "bytes=0-1,5-6")]).expect(200);
    assert!(several.body == whole.body, "several parts at once are answered by the whole");
    let range = ("Range", "bytes=4-7");
    service.ask("GET", &path, &[range, ("If-Range", tag)]).expect(206);
    service.ask("GET", &path, &[range, ("If-Range", whole.header("last-modified").unwrap())]).expect(206);
    let other = service.ask("GET", &path, &[range, ("If-Range", "\"other\"")]).expect(200);
    assert_eq!(other.body.len(), size);
    let head = service.ask("HEAD", &path, &[range]).expect(200);
    assert_eq!(head.header("content-length"), Some(size.to_string().as_str()));
    service.end().expect(0);
}

#[test]
fn texts_are_compressed_for_those_who_ask_and_for_nobody_else() {
    let project = published();
    let service = Service::start(&project);
    let release = release_path(&project);
    let gzip = ("Accept-Encoding", "gzip, deflate, br");
    for file in ["lieux.csv", "lieux.geojson", "manifest.json", "dictionary.html"] {
        let path = format!("{release}/{file}");
        let plain = service.get(&path).expect(200);
        let small = service.ask("GET", &path, &[gzip]).expect(200);
        assert!(plain.body.len() < 600 || small.body.len() < plain.body.len(), "{file}");
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"), "{file}");
        if plain.body.len() < 600 {
            continue;
        }
        assert!(gunzipped(&small) == plain.body, "{file}");
        assert_eq!(small.header("content-type"), plain.header("content-type"));
        let tag = small.header("etag").unwrap();
        assert_ne!(Some(tag), plain.header("etag"), "another form has another tag");
        assert_eq!(service.ask("GET", &path, &[gzip, ("If-None-Match", tag)]).status, 304);
        // The digest of the manifest is that of the file as it is: who names it is answered about that.
        let digest = plain.header("etag").unwrap();
        assert_eq!(service.ask("GET", &path, &[gzip, ("If-None-Match", digest)]).status, 304);
        let wanted = service.ask("GET", &path, &[gzip, ("If-Match", digest)]).expect(200);
        assert!(wanted.body == plain.body && wanted.header("content-encoding").is_none(), "{file}");
        let part = service.ask("GET", &path, &[gzip, ("Range", "bytes=0-9")]).expect(206);
        assert!(part.body == plain.body[..10], "parts are of the file itself");
    }
    let parquet = service.ask("GET", &format!("{release}/lieux.parquet"), &[gzip]).expect(200);
    assert_eq!((parquet.header("content-encoding"), parquet.header("vary")), (None, None));
    service.end().expect(0);
}

#[test]
fn a_new_release_is_seen_without_a_restart_and_a_page_names_files_of_one_release() {
    let project = published();
    let service = Service::start(&project);
    let old = release_path(&project);
    let before = service.get("/lieux/latest/lieux.csv").expect(200);
    let location = before.header("content-location").unwrap().to_owned();
    assert_eq!(location, format!("..{}/lieux.csv", old.trim_start_matches("/lieux")));
    let page = service.get("/lieux/latest/dictionary.html").expect(307);
    let to = page.header("location").unwrap();
    assert_eq!(to, format!("..{}/dictionary.html", old.trim_start_matches("/lieux")), "it leads to the release itself");
    publish_another(&project, "L-10");
    let new = release_path(&project);
    assert_ne!(new, old);
    let newer = || {
        let answer = service.get("/lieux/latest/lieux.csv").expect(200);
        (answer.header("etag") != before.header("etag")).then_some(answer)
    };
    let begun = std::time::Instant::now();
    let after = loop {
        if let Some(answer) = newer() {
            break answer;
        }
        assert!(begun.elapsed().as_secs() < 10, "the new release was never seen");
    };
    assert!(after.text().contains("L-10"));
    assert_ne!(after.header("last-modified"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    let kept = service.get(&format!("{old}/lieux.csv")).expect(200);
    assert!(kept.body == before.body, "the release before stays as it was");
    service.end().expect(0);
}

#[test]
fn folders_lead_to_their_pages_and_what_is_not_there_says_so_to_people_and_to_programs() {
    let project = published();
    let service = Service::start(&project);
    for (path, file) in [
        ("/", "index.html"),
        ("/index.html", "index.html"),
        ("/en/", "en/index.html"),
        ("/lieux/", "lieux/index.html"),
        ("/lieux/en/", "lieux/en/index.html"),
        ("/lieux/releases.json", "lieux/releases.json"),
        ("/lieux/log/00000000000000000001.json", "lieux/log/00000000000000000001.json"),
    ] {
        let answer = service.get(path).expect(200);
        assert!(answer.body == std::fs::read(project.path(&format!("data/public/{file}"))).unwrap(), "{path}");
    }
    for (path, to) in [("/lieux", "lieux/"), ("/lieux/en", "en/")] {
        assert_eq!(service.get(path).expect(308).header("location"), Some(to));
    }
    let folder = service.get(&format!("{}/", release_path(&project))).expect(200).text();
    assert!(folder.contains("<a href=\"lieux.parquet\">lieux.parquet</a>"), "{folder}");
    let missing = service.get(&format!("{}/lieux.cvs", release_path(&project))).expect(404);
    assert_eq!(missing.header("content-type"), Some("application/problem+json"));
    assert_eq!(missing.json()["suggestion"], "lieux.csv");
    let page = service.ask("GET", "/rien", &[("Accept", "text/html,*/*;q=0.8")]).expect(404);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("Rien n’est publié à cette adresse"));
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let refused = service.ask(method, "/lieux/", &[("Content-Length", "0")]).expect(405);
        assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    service.end().expect(0);
}

#[test]
fn pages_work_under_a_policy_that_runs_nothing_from_elsewhere_and_other_sites_may_read() {
    let project = published();
    let service = Service::start(&project);
    let release = release_path(&project);
    for path in ["/", "/lieux/", &format!("{release}/dictionary.html"), "/lieux/map.svg"] {
        let answer = service.get(path).expect(200);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let text = answer.text();
        assert!(!text.contains(" style=\"") && !text.contains(" onclick="), "{path} has what the policy forbids");
        let named = policy.matches("'sha256-").count();
        assert_eq!(text.matches("<style>").count(), named, "{path} has the style sheets that the policy names");
        for name in ["x-content-type-options", "referrer-policy", "permissions-policy", "cross-origin-opener-policy"] {
            assert!(answer.header(name).is_some(), "{path} lacks {name}");
        }
    }
    let file = service.ask("GET", &format!("{release}/lieux.geojson"), &[("Origin", "https://www.data.gouv.fr")]);
    assert_eq!(file.header("access-control-allow-origin"), Some("*"));
    assert_eq!(file.header("cross-origin-resource-policy"), Some("cross-origin"));
    let exposed = file.header("access-control-expose-headers").unwrap();
    for name in ["Content-Range", "Content-Length", "Accept-Ranges", "ETag"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    let asked = [
        ("Origin", "https://www.data.gouv.fr"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    let may = service.ask("OPTIONS", &format!("{release}/lieux.csv"), &asked).expect(204);
    assert_eq!(may.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(may.header("access-control-allow-origin"), Some("*"));
    service.end().expect(0);
}
