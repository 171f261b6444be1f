//! Debian's docker-compose on the gateway's socket.

use crate::suite::{tests, world};
use crate::world::User;
use crate::world::tools::eventually;

tests![
    two_services_from_up_to_down,
    verbs_on_a_running_project,
    files_and_volumes_below_a_bind,
    what_is_refused,
    projects_of_two_people_do_not_meet
];

/// A project of two services, a network, a named volume, a published port and a bind under the home.
fn project(user: &User<'_>) -> u32 {
    let port = 40_300 + user.uid % 600;
    let file = format!(
        r#"version: "3.8"
services:
  web:
    image: busybox:test
    command: httpd -f -p 8080 -h /site
    ports: ["{port}:8080"]
    volumes:
      - ./site:/site:ro
    networks: [front]
    depends_on: [store]
  store:
    image: busybox:test
    command: sh -c 'echo starting; test -e /data/note || echo kept > /data/note; exec httpd -f -p 8081 -h /data'
    volumes:
      - data:/data
    networks: [front]
networks:
  front:
volumes:
  data:
"#
    );
    user.sh("mkdir -p shop/site").ok();
    user.write("shop/site/index.html", "the shop\n");
    user.write("shop/docker-compose.yml", file);
    port
}

fn two_services_from_up_to_down() {
    let world = world();
    let ann = world.newcomer("ann");
    let port = project(&ann);
    ann.compose("shop", "up -d").exits(0);
    ann.compose("shop", "ps").says(&[
        "shop_web_1",
        "shop_store_1",
        "Up",
        &format!("127.0.0.1:{port}->8080/tcp"),
    ]);
    let url = format!("http://127.0.0.1:{port}/");
    let fetch =
        || world.engine.inside_network(&["curl", "-s", "--max-time", "5", &url]).output().unwrap().stdout;
    assert!(eventually(|| fetch() == b"the shop\n"));
    // The services find each other by name, and write as their owner.
    let note = || ann.compose("shop", "exec -T web wget -q -O - http://store:8081/note");
    assert!(eventually(|| note().stdout() == "kept\n"), "{}", note());
    assert_eq!(ann.compose("shop", "exec -T store stat -c %u /data/note").line(), ann.uid.to_string());
    ann.compose("shop", "logs store").says(&["starting"]).exits(0);
    assert_eq!(ann.docker("ps -q").ok().lines().count(), 2);

    ann.compose("shop", "down -t 0").exits(0);
    assert_eq!(ann.docker("ps -aq").ok(), "");
    assert_eq!(ann.docker("network ls -q --filter name=shop_front").ok(), "");
    // The volume outlives its containers; `-v` takes it too.
    ann.docker("volume ls").says(&["shop_data"]);
    ann.compose("shop", "up -d store").exits(0);
    ann.compose("shop", "exec -T store cat /data/note").says(&["kept"]).exits(0);
    ann.compose("shop", "down -v -t 0").exits(0);
    ann.docker("volume ls").hides(&["shop_data"]).exits(0);
}

fn verbs_on_a_running_project() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    project(&bob);
    bob.compose("shop", "config -q").exits(0);
    bob.compose("shop", "up -d").exits(0);
    bob.compose("shop", "top").says(&["httpd"]).exits(0);
    bob.compose("shop", "images").says(&["busybox"]).exits(0);
    bob.compose("shop", "port web 8080").says(&["127.0.0.1:"]).exits(0);
    bob.compose("shop", "restart -t 0 web").exits(0);
    bob.compose("shop", "stop -t 0").exits(0);
    assert_eq!(bob.docker("ps -q").ok(), "");
    bob.compose("shop", "start").exits(0);
    assert_eq!(bob.docker("ps -q").ok().lines().count(), 2);
    assert_eq!(bob.compose("shop", "run --rm -T store id -u").line(), bob.uid.to_string());
    // A second `up` finds everything as it should be; a changed service is made anew.
    bob.compose("shop", "up -d").says(&["up-to-date"]).exits(0);
    bob.sh("sed -i 's/echo starting/echo changed/' shop/docker-compose.yml").ok();
    bob.compose("shop", "up -d -t 0").says(&["Recreating shop_store_1"]).exits(0);
    let logs = || bob.compose("shop", "logs store");
    assert!(eventually(|| logs().stdout().contains("changed")), "{}", logs());
    bob.compose("shop", "kill").exits(0);
    bob.compose("shop", "rm -f -v").exits(0);
    bob.compose("shop", "down -v").exits(0);
}

/// A secret is a file that is bound; and what is installed lies in a volume below the sources.
fn files_and_volumes_below_a_bind() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sh(
        "mkdir -p shop/src; echo code >shop/src/main; echo hush >shop/token; echo name=shop >shop/app.conf",
    )
    .ok();
    let steps = "cat /app/main /run/secrets/token /etc/app.conf; echo x >/app/node_modules/x; echo y >/app/tmp/y; exec sleep 1000";
    ann.write(
        "shop/docker-compose.yml",
        format!(
            r#"version: "3.8"
services:
  web:
    image: busybox:test
    command: sh -ec '{steps}'
    secrets: [token]
    volumes:
      - ./src:/app:cached
      - ./app.conf:/etc/app.conf:ro,z
      - modules:/app/node_modules
      - /app/cache
    tmpfs: ["/app/tmp"]
secrets:
  token:
    file: ./token
volumes:
  modules:
"#
        ),
    );
    ann.compose("shop", "up -d").exits(0);
    let logs = || ann.compose("shop", "logs web");
    assert!(eventually(|| logs().stdout().contains("name=shop")), "{}", logs());
    logs().says(&["code", "hush", "name=shop"]);
    let written = || ann.compose("shop", "exec -T web cat /app/node_modules/x /app/tmp/y");
    assert!(eventually(|| written().stdout() == "x\ny\n"), "{}", written());
    assert_eq!(ann.sh("ls -A shop/src/node_modules shop/src/tmp").ok().matches(['x', 'y']).count(), 0);
    let told = ann.compose("shop", "exec -T web sh -c 'echo no >/run/secrets/token'");
    assert_ne!(told.code, 0, "{told}");
    ann.sh("echo other >shop/new; mv shop/new shop/token").ok();
    ann.compose("shop", "restart -t 0").exits(0);
    assert!(eventually(|| logs().stdout().contains("other")), "{}", logs());
    ann.compose("shop", "down -v -t 0").exits(0);
}

fn what_is_refused() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sh("mkdir -p bad/context; echo FROM busybox:test > bad/context/Dockerfile").ok();
    let service = |lines: &str| {
        ann.write("bad/docker-compose.yml", format!("version: \"3.8\"\nservices:\n  one:\n    {lines}\n"));
    };
    service("build: ./context");
    ann.compose("bad", "build").says(&["not served"]).exits(1);
    ann.compose("bad", "up -d").says(&["not served"]).exits(1);
    service("image: busybox:test");
    ann.compose("bad", "push").exits(0);
    for (lines, word) in [
        ("image: busybox:test\n    privileged: true", "Privileged is not allowed here"),
        ("image: busybox:test\n    pid: host", "PidMode is not allowed here"),
        ("image: busybox:test\n    user: root", "User is not allowed here"),
        ("image: busybox:test\n    restart: always", "restart: what has ended stays ended here"),
        ("image: busybox:test\n    volumes: ['/:/host']", "/"),
        ("image: busybox:test\n    network_mode: host", "NetworkMode is not allowed here"),
        ("image: forbidden/tool:test", "forbidden/tool"),
    ] {
        service(lines);
        let output = ann.compose("bad", "up -d");
        output.says(&[word]).hides(&["Traceback"]).exits(1);
    }
    assert_eq!(ann.docker("ps -aq").ok(), "");
}

fn projects_of_two_people_do_not_meet() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    project(&ann);
    project(&bob);
    ann.compose("shop", "up -d").exits(0);
    bob.compose("shop", "up -d").exits(0);
    ann.compose("shop", "exec -T store sh -c true").exits(0);
    ann.write("shop/site/index.html", "of ann's\n");
    bob.compose("shop", "down -v -t 0").exits(0);
    assert_eq!(ann.docker("ps -q").ok().lines().count(), 2);
    assert_eq!(ann.compose("shop", "exec -T store cat /data/note").line(), "kept");
    assert_eq!(bob.docker("volume ls -q").ok(), "");
    ann.compose("shop", "down -v -t 0").exits(0);
}
