//! Which of the gateway's calls cannot go through bollard's client, as docs/adr/0048 lists them. A reason that no longer
//! holds fails here: then the call can be moved to `src/gateway/engine/orders.rs`, and its row in the record changes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that has no client has failed")]

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{DataUsageOptions, ListImagesOptions, ListVolumesOptions};
use bollard::{BollardRequest, ClientVersion, Docker};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A client on a transport of ours, whose engine gives one answer; and what that engine was asked.
struct Client {
    docker: Docker,
    asked: Arc<Mutex<String>>,
}

impl Client {
    fn answered(answer: String) -> Self {
        let (asked, answer) = (Arc::<Mutex<String>>::default(), Arc::new(answer));
        let seen = asked.clone();
        let transport = move |request| exchange(request, seen.clone(), answer.clone());
        let version = ClientVersion { major_version: 1, minor_version: 51 };
        let docker =
            Docker::connect_with_custom_transport(transport, Some("http://engine"), u64::MAX, &version);
        Self { docker: docker.unwrap(), asked }
    }

    fn told(json: &str) -> Self {
        Self::answered(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{json}", json.len()))
    }

    /// The first line of what the engine was asked, and the body.
    fn asked(&self) -> (String, String) {
        let asked = self.asked.lock().unwrap().clone();
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned(), body.to_owned())
    }
}

async fn exchange(
    request: BollardRequest,
    asked: Arc<Mutex<String>>,
    answer: Arc<String>,
) -> Result<Response<Incoming>, Error> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    // Whole, so that what the engine sees does not hang on how it is cut.
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let sent = String::from_utf8(body.to_vec()).unwrap();
    parts.uri = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
    let line = format!("{} {} HTTP/1.1\r\n\r\n{sent}", parts.method, parts.uri);
    *asked.lock().unwrap() = line;
    tokio::spawn(async move {
        let mut head = vec![0; 1 << 16];
        let _some = theirs.read(&mut head).await;
        let _heard = theirs.write_all(answer.as_bytes()).await;
    });
    let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(Request::from_parts(parts, http_body_util::Full::new(body))).await?)
}

/// Whether the client could make nothing of an answer, and says this.
#[track_caller]
fn fails<T>(outcome: Result<T, Error>, why: &str) {
    match outcome {
        Err(Error::JsonDataError { message, .. }) if message.contains(why) => {}
        Err(other) => panic!("it fails otherwise: {other:?}"),
        Ok(_) => panic!("it no longer fails at {why:?}: see docs/adr/0048"),
    }
}

/// Lists and records of containers: one unknown word of a newer engine, and all of a user's containers are out of reach.
#[tokio::test]
async fn a_state_that_the_client_does_not_know_fails_the_whole_answer() {
    let known = r#"{"Id":"a","State":"running"}"#;
    let listed = Client::told(&format!("[{known}]")).docker.list_containers(None).await;
    assert_eq!(listed.unwrap().len(), 1);
    let listed = Client::told(&format!(r#"[{known},{{"Id":"b","State":"frozen"}}]"#));
    fails(listed.docker.list_containers(None).await, "unknown variant `frozen`");
    for (state, word) in
        [(r#"{"Status":"frozen"}"#, "frozen"), (r#"{"Status":"running","Health":{"Status":"odd"}}"#, "odd")]
    {
        let record = Client::told(&format!(r#"{{"Id":"a","State":{state}}}"#));
        fails(record.docker.inspect_container("a", None).await, &format!("unknown variant `{word}`"));
    }
    let info = Client::told(r#"{"CgroupDriver":"new"}"#);
    fails(info.docker.info().await, "unknown variant `new`");
    let volumes = r#"{"Volumes":[{"Name":"a","Driver":"local","Mountpoint":"/a","Labels":{},"Options":{},"Scope":"new"}]}"#;
    fails(Client::told(volumes).docker.list_volumes(None::<ListVolumesOptions>).await, "new");
}

/// Answers to creates: the gateway needs the id, and takes back what it cannot name.
#[tokio::test]
async fn an_answer_without_what_nobody_needs_fails_after_it_was_done() {
    let made = Client::told(r#"{"Id":"a"}"#);
    let body = ContainerCreateBody::default();
    fails(made.docker.create_container(None, body).await, "missing field `Warnings`");
    fails(made.docker.create_network(NetworkCreateRequest::default()).await, "missing field `Warning`");
    let made = Client::told(r#"{"Name":"a","Driver":"local","Labels":null,"Options":null}"#);
    fails(made.docker.create_volume(VolumeCreateRequest::default()).await, "missing field `Mountpoint`");
    let version = Client::told(r#"{"ApiVersion":"1.60","Components":[{"Name":"a"}]}"#);
    fails(version.docker.version().await, "missing field `Version`");
    let images = Client::told(r#"[{"Id":"a"}]"#);
    fails(images.docker.list_images(None::<ListImagesOptions>).await, "missing field");
}

/// Two networks of one name are refused by engines below API 1.44 only where they are asked to.
#[tokio::test]
async fn a_network_is_asked_for_without_a_look_at_its_name() {
    let asked = serde_json::json!({ "Name": "a", "CheckDuplicate": true, "Driver": "bridge" });
    let body: NetworkCreateRequest = serde_json::from_value(asked).unwrap();
    let client = Client::told(r#"{"Id":"a","Warning":""}"#);
    client.docker.create_network(body).await.unwrap();
    assert_eq!(client.asked().1, r#"{"Name":"a","Driver":"bridge"}"#, "see docs/adr/0048");
}

/// The disk's account of each engine up to API 1.51, the newest that is spoken: it reads as that nobody holds anything.
#[tokio::test]
async fn an_account_of_the_disk_is_read_as_empty() {
    let told = r#"{"LayersSize":3,"Containers":[{"Id":"a","State":"running","SizeRw":5}],"Volumes":[]}"#;
    let account = Client::told(told).docker.df(None::<DataUsageOptions>).await.unwrap();
    assert_eq!(serde_json::to_string(&account).unwrap(), "{}", "see docs/adr/0048");
}

/// What users see of images and networks, and what the gateway looks at: fields that the models lack are gone.
#[tokio::test]
async fn what_the_models_do_not_have_is_lost() {
    let image = r#"{"Id":"a","Config":{"New":1},"New":2}"#;
    let read = Client::told(image).docker.inspect_image("a").await.unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"Id":"a","Config":{}}"#, "see docs/adr/0048");
    let networks = Client::told(r#"[{"Name":"a","New":1}]"#).docker.list_networks(None).await.unwrap();
    assert_eq!(serde_json::to_string(&networks).unwrap(), r#"[{"Name":"a"}]"#, "see docs/adr/0048");
    let exec = Client::told(r#"{"ID":"a","New":1}"#).docker.inspect_exec("a").await.unwrap();
    assert_eq!(serde_json::to_string(&exec).unwrap(), r#"{"ID":"a"}"#, "see docs/adr/0048");
}

/// What is read is read to its end, and a transport has to hand on an answer whose end it cannot choose.
#[tokio::test]
async fn an_answer_has_no_bound() {
    let word = "x".repeat(17 << 20);
    let read = Client::told(&format!(r#"{{"Id":"{word}"}}"#)).docker.inspect_image("a").await.unwrap();
    assert_eq!(read.id.unwrap().len(), word.len(), "see docs/adr/0048");
}

/// Paths are joined out of words, and the version is lost: only ids may stand in them, and the transport writes the version.
#[tokio::test]
async fn a_path_is_what_its_words_make_of_it() {
    for (word, expected) in [
        ("a%2Fb", "POST /containers/a%2Fb/start"),
        ("a b", "POST /containers/a%20b/start"),
        ("a/b", "POST /containers/a/b/start"),
        ("a?b", "POST /containers/a?b/start"),
        ("a#b", "POST /containers/a"),
        ("../x", "POST /x/start"),
    ] {
        let client = Client::answered("HTTP/1.1 204 No Content\r\n\r\n".to_owned());
        client.docker.start_container(word, None).await.unwrap();
        assert_eq!(client.asked().0, expected, "see docs/adr/0048");
    }
}

/// Why the transport reads refusals itself, and keeps the status of a success.
#[tokio::test]
async fn a_status_is_lost_on_the_way() {
    for status in ["204 No Content", "304 Not Modified"] {
        let client = Client::answered(format!("HTTP/1.1 {status}\r\n\r\n"));
        let () = client.docker.start_container("a", None).await.unwrap();
    }
    let cut = "HTTP/1.1 500 Broken\r\nContent-Length: 11\r\n\r\n{\"message\":";
    let refused = Client::answered(cut.to_owned()).docker.start_container("a", None).await.unwrap_err();
    assert!(matches!(refused, Error::JsonSerdeError { .. }), "{refused:?}: see docs/adr/0048");
}
