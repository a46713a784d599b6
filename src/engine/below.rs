//! A folder of a store, for reading: objects are named below the folder, so that what a query plan shows tells nothing of
//! the machine, and nothing can be written, whatever a statement would have got through.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::object_store::path::Path;
use datafusion::object_store::prefix::PrefixStore;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use url::Url;

use crate::engine::StoreHandle;

/// The objects below a folder of a store.
pub fn below(store: StoreHandle, folder: &Url) -> StoreHandle {
    let folder = Path::from_url_path(folder.path()).unwrap_or_default();
    Arc::new(Below(PrefixStore::new(store, folder)))
}

#[derive(Debug)]
struct Below(PrefixStore<StoreHandle>);

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is published")
    }
}

fn only_read(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "what is published".to_owned() }
}

#[async_trait]
impl ObjectStore for Below {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(only_read("put"))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(only_read("put"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.0.get_opts(location, options).await?;
        // The prefix is left on by `PrefixStore`.
        found.meta.location = location.clone();
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.map(|_| Err(only_read("delete"))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(only_read("copy"))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::object_store::ObjectStoreExt as _;
    use datafusion::object_store::memory::InMemory;
    use futures::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn objects_are_named_below_the_folder_and_cannot_be_written() {
        let store: StoreHandle = Arc::new(InMemory::new());
        let inside = Path::parse("données/public/lieux.csv").unwrap();
        store.put(&inside, "id\n".into()).await.unwrap();
        store.put(&Path::parse("données/private/x.csv").unwrap(), "secret\n".into()).await.unwrap();
        let folder = below(Arc::clone(&store), &Url::parse("file:///donn%C3%A9es/public/").unwrap());
        let path = Path::from("lieux.csv");
        assert_eq!(folder.head(&path).await.unwrap().location, path);
        assert_eq!(folder.get(&path).await.unwrap().bytes().await.unwrap(), "id\n");
        let listed: Vec<ObjectMeta> = folder.list(None).try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|found| found.location.clone()).collect::<Vec<_>>(), std::slice::from_ref(&path));
        assert!(folder.put(&path, "x".into()).await.is_err());
        assert!(folder.delete(&path).await.is_err());
        assert!(folder.copy(&path, &Path::from("y")).await.is_err());
        assert_eq!(store.get(&inside).await.unwrap().bytes().await.unwrap(), "id\n");
    }
}
