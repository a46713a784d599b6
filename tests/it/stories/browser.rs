//! The site in a real browser: the same store behind a host of plain files and behind `essaim serve`, used by script, by
//! keyboard and without script, and looked at by axe-core. `tests/python/browser.py` says what is done there.
//!
//! Needs chromium and the scripts of `web/app`, which `tests/run.sh` installs and builds; skipped with a line where they are
//! missing.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::harness::{Project, python, repository};

const DATASET: &str = "cooperations-territoriales";

/// What the stories need; none with a line that says so.
fn needed() -> Option<PathBuf> {
    let chromium = std::env::var_os("ESSAIM_CHROMIUM").is_some()
        || std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|folder| folder.join("chromium").is_file());
    if !chromium {
        println!("SKIPPED: no chromium is installed; tests/run.sh installs it");
        return None;
    }
    let axe = repository().join("web/app/node_modules/axe-core/axe.min.js");
    if !axe.is_file() || !repository().join("web/app/dist").is_dir() {
        println!("SKIPPED: the scripts of web/app are not built; tests/run.sh builds them where there is npm");
        return None;
    }
    Some(axe)
}

/// `essaim serve`, ended with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(project: &Project) -> Self {
        let mut command = project.command(&["serve", "--listen", "127.0.0.1:0", "--no-access-log"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("serving ").map(|url| url.trim().to_owned()));
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { url: url.expect("the server says where it is"), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn people_use_the_site_in_a_real_browser() {
    let Some(axe) = needed() else { return };
    let project = Project::shipped();
    project.run();
    let server = Server::start(&project);
    let public = project.path("data/public");
    let told = python("browser.py", &[&public, Path::new(DATASET), &axe, Path::new(&server.url)]);
    println!("{told}");
    assert!(told.contains(" tests of the site in chromium passed"), "{told}");
}
