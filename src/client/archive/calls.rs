//! The three archive calls of the Docker Engine API.

use super::super::connect::{Api, Hijacked};
use super::super::error::Error;
use super::super::route::Route;
use super::remote::Remote;
use crate::protocol::copying::{PATH_STAT_HEADER, PathStat, RAW_TAR, UNREAD};
use hyper::body::Incoming;
use hyper::{Response, StatusCode};

/// What is at a path: none if there is nothing, or no such container: the next call tells them apart.
pub(crate) async fn stat(api: &Api, remote: &Remote) -> Result<Option<PathStat>, Error> {
    let answer = api.head(&route(remote)).await?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => path_stat(&answer).map(Some),
        // An answer to HEAD has no body, so the sentence is fetched by the same question as GET.
        _ => match get(api, remote).await {
            Err(error) => Err(error),
            Ok(_) => Err(Error::Unreadable),
        },
    }
}

/// A path as an archive.
pub(crate) async fn get(api: &Api, remote: &Remote) -> Result<(PathStat, Incoming), Error> {
    let answer = api.get_stream_with(&route(remote), UNREAD).await?;
    Ok((path_stat(&answer)?, answer.into_body()))
}

/// Asks to unpack an archive into a directory: the connection takes it from here on, and nothing else.
pub(super) async fn agreed(api: &Api, remote: &Remote) -> Result<Hijacked, Error> {
    let route = route(remote).with("noOverwriteDirNonDir", "true");
    let agreed = api.hijack_to_send(&route, RAW_TAR).await?;
    // The gateway has nothing to say before it has the archive, or refuses it: that is not the beginning of it.
    if agreed.leftover.is_empty() { Ok(agreed) } else { Err(Error::Unreadable) }
}

fn route(remote: &Remote) -> Route {
    Route::container(&remote.container, "archive").with_path("path", &remote.path)
}

fn path_stat(answer: &Response<Incoming>) -> Result<PathStat, Error> {
    let header = answer.headers().get(PATH_STAT_HEADER).ok_or(Error::Unreadable)?;
    PathStat::from_header(header.as_bytes()).ok_or(Error::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::path::AskedPath;

    #[test]
    fn a_path_is_one_value_of_the_query() {
        let remote = Remote {
            container: "web".parse().unwrap(),
            path: AskedPath::new("/a b/&x=%2e?#日".as_bytes()).unwrap(),
        };
        let route = route(&remote).with("noOverwriteDirNonDir", "true");
        let expected =
            "/containers/web/archive?path=/a%20b/%26x%3D%252e%3F%23%E6%97%A5&noOverwriteDirNonDir=true";
        assert_eq!(route.as_str(), expected);
    }
}
