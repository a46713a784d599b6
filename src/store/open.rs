//! From an address to a store.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use object_store::ObjectStore;
use object_store::ObjectStoreScheme;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use url::Url;

use crate::store::Store;
use crate::store::error::StoreError;

/// Only these settings are taken from the environment: `object_store` also reads bare names such as `TOKEN` or `REGION`.
const VARIABLES: [&str; 3] = ["aws_", "azure_", "google_"];

type Memories = Mutex<BTreeMap<String, Arc<InMemory>>>;

static MEMORIES: OnceLock<Memories> = OnceLock::new();

pub(crate) fn open(address: &str, base: &Path, env: &BTreeMap<String, String>) -> Result<Store, StoreError> {
    if !address.contains("://") {
        return open_folder(&base.join(address));
    }
    let url =
        Url::parse(address).ok().ok_or_else(|| StoreError::UnknownStore { url: without_secrets_text(address) })?;
    match url.scheme() {
        "file" => match url.to_file_path() {
            Ok(path) => open_folder(&path),
            Err(()) => Err(unknown(&url)),
        },
        "memory" => open_memory(&url),
        _ => open_remote(&url, env),
    }
}

fn open_folder(folder: &Path) -> Result<Store, StoreError> {
    let failed = |action| {
        let path = folder.to_path_buf();
        move |source| StoreError::Disk { action, path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed("create the folder"))?;
    let root: PathBuf = std::fs::canonicalize(folder).map_err(failed("find the folder"))?;
    let invalid = || StoreError::InvalidPath { path: root.display().to_string() };
    let prefix = ObjectPath::from_absolute_path(&root).ok().ok_or_else(invalid)?;
    let root_url = Url::from_directory_path(&root).map_err(|()| invalid())?;
    let handle: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    Ok(Store { handle, prefix, root_url, attributes: false, folder: Some(root), direct: true })
}

fn open_memory(url: &Url) -> Result<Store, StoreError> {
    let name = url.host_str().filter(|name| !name.is_empty()).ok_or_else(|| unknown(url))?;
    let handle: Arc<dyn ObjectStore> = {
        let mut memories = MEMORIES.get_or_init(Memories::default).lock().unwrap_or_else(PoisonError::into_inner);
        Arc::<InMemory>::clone(memories.entry(name.to_owned()).or_default())
    };
    let prefix = ObjectPath::from_url_path(url.path()).ok().ok_or_else(|| invalid(url))?;
    Ok(Store { handle, prefix, root_url: as_folder(url), attributes: true, folder: None, direct: false })
}

fn open_remote(url: &Url, env: &BTreeMap<String, String>) -> Result<Store, StoreError> {
    match ObjectStoreScheme::parse(url) {
        Ok((
            ObjectStoreScheme::AmazonS3 | ObjectStoreScheme::MicrosoftAzure | ObjectStoreScheme::GoogleCloudStorage,
            _,
        )) => {}
        _ => return Err(unknown(url)),
    }
    let settings = env.iter().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        VARIABLES.iter().any(|prefix| name.starts_with(prefix))
    });
    let (handle, prefix) = object_store::parse_url_opts(url, settings)
        .map_err(|source| StoreError::Open { url: without_secrets(url), source })?;
    Ok(Store {
        handle: Arc::from(handle),
        prefix,
        root_url: as_folder(url),
        attributes: true,
        folder: None,
        direct: false,
    })
}

/// The address as a folder: no query, no password, a slash at its end.
fn as_folder(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for addresses that cannot have a password.
    if url.set_password(None).is_ok() && !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

fn unknown(url: &Url) -> StoreError {
    StoreError::UnknownStore { url: without_secrets(url) }
}

fn invalid(url: &Url) -> StoreError {
    StoreError::InvalidPath { path: without_secrets(url) }
}

fn without_secrets(url: &Url) -> String {
    as_folder(url).to_string()
}

/// For what is no URL: everything that may hold a secret is left out.
fn without_secrets_text(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let address = address.get(..end).unwrap_or(address);
    match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://…@{}", address.get(..scheme).unwrap_or(""), address.get(at + 1..).unwrap_or(""))
        }
        _ => address.to_owned(),
    }
}
