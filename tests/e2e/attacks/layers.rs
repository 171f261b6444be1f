//! Images whose layers were made by hand: what no program that packs a directory would write.

use super::devices::read_from_outside;
use super::ground::{Ground, SECRET};
use crate::suite::{tests, world, world_alone};
use crate::world::output::run_to_end;
use crate::world::tools::{eventually, step};
use crate::world::{World, json};
use serde_json::json as words;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tar::{Builder, EntryType, Header};

tests![
    a_node_that_an_export_leaves_out,
    nodes_are_known_by_their_numbers,
    packed_layers_are_read,
    alone a_layer_that_is_not_given_out,
    a_hard_link_takes_nothing_of_the_images_along,
    alone a_look_ends_with_who_waits_for_it,
    alone what_was_found_outlives_the_gateway,
    alone what_gateways_die_of_is_not_begun_a_third_time,
    links_without_end_are_refused,
    an_image_is_looked_through_before_anybody_starts_it,
];

/// A layer's archive, member by member.
struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn member(mut self, kind: EntryType, name: &str, change: impl FnOnce(&mut Header)) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        change(&mut header);
        self.0.append_data(&mut header, name, std::io::empty()).unwrap();
        self
    }

    fn dir(self, name: &str) -> Self {
        self.member(EntryType::Directory, name, |_| {})
    }

    fn node(self, kind: EntryType, name: &str, (major, minor): (u32, u32), mode: u32) -> Self {
        self.member(kind, name, |header| {
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
            header.set_mode(mode);
        })
    }

    fn file(self, name: &str) -> Self {
        self.member(EntryType::Regular, name, |_| {})
    }

    fn link(self, name: &str, target: &str, mode: u32) -> Self {
        self.member(EntryType::Link, name, |header| {
            header.set_link_name_literal(target).unwrap();
            header.set_mode(mode);
        })
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.member(EntryType::Symlink, name, |header| header.set_link_name_literal(target).unwrap())
    }

    fn pax(mut self, key: &str, value: &str) -> Self {
        self.0.append_pax_extensions([(key, value.as_bytes())]).unwrap();
        self
    }

    fn end(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// All of a ground's files as one layer.
fn base(ground: &Ground<'_>) -> Vec<u8> {
    let packed = ground.root().with_extension("base.tar");
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "-cf"]).arg(&packed).arg("-C").arg(ground.root()).arg(".");
    step(&mut tar).unwrap();
    fs::read(packed).unwrap()
}

/// Has the engine load an image of these layers, each as it is and as it is packed.
fn load(world: &World, name: &str, layers: &[(&[u8], &[u8])]) {
    let digest = |layer: &[u8]| {
        let digits: String = Sha256::digest(layer).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digits}")
    };
    let ids: Vec<String> = layers.iter().map(|(plain, _)| digest(plain)).collect();
    let config = words!({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/evil"]}, "history": [],
        "rootfs": {"type": "layers", "diff_ids": ids}});
    let files: Vec<String> = (0..layers.len()).map(|number| format!("{number}.tar")).collect();
    let manifest = words!([{"Config": "config.json", "RepoTags": [name], "Layers": files}]);
    let mut archive = Builder::new(Vec::new());
    let mut add = |name: &str, contents: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_size(contents.len().try_into().unwrap());
        header.set_mode(0o644);
        archive.append_data(&mut header, name, contents).unwrap();
    };
    add("config.json", config.to_string().as_bytes());
    add("manifest.json", manifest.to_string().as_bytes());
    files.iter().zip(layers).for_each(|(file, (_, packed))| add(file, packed));
    let archive = archive.into_inner().unwrap();
    run_to_end(&mut world.engine.docker(&["load"]), format!("root# docker load {name}"), &archive).exits(0);
}

fn load_plain(world: &World, name: &str, layers: &[&[u8]]) {
    let layers: Vec<(&[u8], &[u8])> = layers.iter().map(|layer| (*layer, *layer)).collect();
    load(world, name, &layers);
}

const RUN: [&str; 3] = ["run", "--rm", "--network=none"];

fn refused(ground: &Ground<'_>, image: &str, says: &[&str]) {
    let words = [&RUN[..], &[image, "true"]].concat();
    ground.guest.run(words.as_slice()).says(says).fails(125);
}

fn runs(ground: &Ground<'_>, image: &str) {
    ground.guest.run([&RUN[..], &[image, "true"]].concat().as_slice()).ok();
}

/// Each layer is short; by way of a directory that overlayfs is told lies elsewhere, the path of the node is longer than
/// any path may be, and who walks through the merged files does not reach it.
fn a_node_that_an_export_leaves_out() {
    let world = world();
    let ground = Ground::new(&world);
    let base = base(&ground);
    let deep = |top: &str, last: &str| {
        let names: Vec<String> = std::iter::once(top.to_owned()).chain(vec!["d".repeat(150); 10]).collect();
        let mut layer = Layer::new();
        for depth in 1..=names.len() {
            layer = layer.dir(&names[..depth].join("/"));
        }
        (layer, format!("{}/{last}", names.join("/")))
    };
    let (first, node) = deep("a", "node");
    let first = first.node(EntryType::Block, &node, (7, 0), 0o666).end();
    let (second, redirected) = deep("b", "r");
    let second = second
        .pax("SCHILY.xattr.trusted.overlay.redirect", "/a")
        .dir(&redirected)
        .member(EntryType::Regular, ".wh.a", |_| {})
        .end();
    let name = |which: &str| format!("evil-{}:{which}", ground.victim.uid);
    load_plain(&world, &name("redirect"), &[&base, &first, &second]);
    // The engine gives layers out in an order of its own: whichever is first says why.
    let told = ground.guest.run([&RUN[..], &[&name("redirect"), "true"]].concat().as_slice());
    let why = ["device node", "trusted.overlay.redirect"];
    assert!(why.iter().any(|why| told.fails(125).contains(why)), "{told}");
    // Each is enough.
    load_plain(&world, &name("node-alone"), &[&base, &first]);
    refused(&ground, &name("node-alone"), &["device node", "/node"]);
    load_plain(&world, &name("redirect-alone"), &[&base, &second]);
    refused(&ground, &name("redirect-alone"), &["trusted.overlay.redirect"]);
    let long = Layer::new().pax("path", &vec!["l".repeat(200); 11].join("/")).dir("short").end();
    load_plain(&world, &name("long"), &[&base, &long]);
    refused(&ground, &name("long"), &["a path with a length of 2210, the most is 2000"]);
    // The same without any of it.
    load_plain(&world, &name("plain"), &[&base, &deep("a", "x").0.end()]);
    runs(&ground, &name("plain"));
}

fn nodes_are_known_by_their_numbers() {
    let world = world();
    let ground = Ground::new(&world);
    let base = base(&ground);
    let console = |mode| Layer::new().dir("dev").node(EntryType::Char, "dev/console", (5, 1), mode);
    let usual = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)];
    let add = |layer: Layer, (at, numbers): (usize, &(u32, u32))| {
        layer.node(EntryType::Char, &format!("dev/{at}"), *numbers, 0o666)
    };
    let name = |which: &str| format!("evil-{}:{which}", ground.victim.uid);
    load_plain(&world, &name("usual"), &[&base, &usual.iter().enumerate().fold(console(0o600), add).end()]);
    runs(&ground, &name("usual"));
    let numbers = ground.secret.numbers();
    let (major, minor) = numbers.split_once(' ').unwrap();
    let disk = (major.parse().unwrap(), minor.parse().unwrap());
    for (which, layer, says) in [
        ("open-console", console(0o666), "char 5:1, mode 666"),
        (
            "null-that-is-a-disk",
            Layer::new().dir("dev").node(EntryType::Block, "dev/null", disk, 0o666),
            "/dev/null (block",
        ),
        ("memory", Layer::new().dir("dev").node(EntryType::Char, "dev/mem", (1, 1), 0o600), "char 1:1"),
    ] {
        load_plain(&world, &name(which), &[&base, &layer.end()]);
        refused(&ground, &name(which), &["device node", says]);
    }
    // What leads to it gives it an owner and a mode, in its own layer and in another one.
    // The engine itself wants a link's file in the link's layer.
    let later = Layer::new().dir("dev").file("dev/console").link("dev/open", "dev/console", 0o666).end();
    let linked = console(0o600).link("dev/open", "dev/console", 0o666).end();
    load_plain(&world, &name("linked"), &[&base, &linked]);
    load_plain(&world, &name("linked-later"), &[&base, &console(0o600).end(), &later]);
    for which in ["linked", "linked-later"] {
        refused(&ground, &name(which), &["/dev/console (char 5:1), and a hard link, /dev/open"]);
    }
    // A layer that hides a node of the one below takes nothing back.
    let node = Layer::new().dir("d").node(EntryType::Block, "d/node", disk, 0o666).end();
    let hides = Layer::new().dir("d").member(EntryType::Regular, "d/.wh.node", |_| {}).end();
    load_plain(&world, &name("hidden"), &[&base, &node, &hides]);
    refused(&ground, &name("hidden"), &["device node", "/d/node"]);
}

type Pack = fn(&[u8]) -> Vec<u8>;

/// An engine may keep layers as they came.
fn packed_layers_are_read() {
    let world = world();
    let ground = Ground::new(&world);
    let base = base(&ground);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd =
        |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let mut ways: Vec<(&str, Pack)> = vec![("gzip", gzip)];
    // Debian 12's engine does not read them.
    if world.engine.reads_cdi() {
        ways.push(("zstd", zstd));
    }
    let node = Layer::new().dir("dev").node(EntryType::Block, "dev/node", (7, 0), 0o666).end();
    for (way, pack) in ways {
        let name = |which: &str| format!("evil-{}:{way}-{which}", ground.victim.uid);
        let (base_packed, node_packed) = (pack(&base), pack(&node));
        load(&world, &name("clean"), &[(&base, &base_packed)]);
        runs(&ground, &name("clean"));
        load(&world, &name("node"), &[(&base, &base_packed), (&node, &node_packed)]);
        refused(&ground, &name("node"), &["device node", "/dev/node"]);
    }
}

/// The image's own record says which layers there are: one that the engine does not give out was not seen.
fn a_layer_that_is_not_given_out() {
    let world = world_alone();
    let ground = Ground::new(&world);
    let image = ground.image("given", &[]);
    // The other gateway has no mount helper.
    world.limit(&ground.guest, "home = \"none\"");
    let empty = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "\0".repeat(10240));
    let gateway = world.interrupted(move |said| {
        let said = String::from_utf8_lossy(said);
        let line = said.lines().next().unwrap_or_default();
        match line {
            line if line.contains("/images/json") => Some(json("200 OK", "[]")),
            line if line.contains("/images/sha256:") && line.contains("/get ") => Some(empty.clone()),
            _ => None,
        }
    });
    let run = format!("run --network none {image} true");
    let refused = ground.guest.finish(&mut gateway.client(&ground.guest, &run), b"");
    refused.says(&["does not give out its layer sha256:"]).fails(125);
    drop(gateway);
    runs(&ground, &image);
}

/// The engine unpacks an archive as root and follows a hard link to whatever the image has.
fn a_hard_link_takes_nothing_of_the_images_along() {
    let world = world();
    let ground = Ground::new(&world);
    let (victim, guest, root) = (&ground.victim, &ground.guest, ground.root());
    let clean = ground.image("clean", &[]);
    fs::create_dir_all(root.join("dev/d")).unwrap();
    let numbers = ground.secret.numbers();
    let (major, minor) = numbers.split_once(' ').unwrap();
    let mut mknod = Command::new("mknod");
    step(mknod.args(["-m", "666"]).arg(root.join("dev/d/node")).args(["b", major, minor])).unwrap();
    let image = format!("evil-{}:covered", victim.uid);
    ground.import(&image, &[]);
    let link = |name: &str, target: &str| {
        Layer::new().member(EntryType::Link, name, |header| header.set_link_name_literal(target).unwrap())
    };
    let ids = format!("--user={0}:{0}", victim.uid);
    let bare =
        world.docker(["create", "--network=none", "--cap-drop=ALL", &ids, &image, "/evil", "stay"]).line();
    let words = ["cp", "-", &format!("{bare}:/")];
    let packed = link("n", "dev/d/node").end();
    run_to_end(&mut world.engine.docker(&words), "root# docker cp".to_owned(), &packed).exits(0);
    world.docker(["start", &bare]).exits(0);
    let stolen = read_from_outside(victim, victim.uid, "/n");
    world.docker(["rm", "-f", &bare]).exits(0);
    assert_eq!(stolen, SECRET, "the control did not work");

    refused(&ground, &image, &["device node", "/dev/d/node"]);
    guest.run(["create", "--name", "box", "--network=none", &clean, "/evil", "stay"]).ok();
    for (archive, said) in [
        (link("n", "bin/sh"), "leads to a file that the archive brought"),
        (link("n", "./bin//sh"), "leads to a file that the archive brought"),
        (link("n", "/bin/sh"), "leads to a file that the archive brought"),
        (link("n", "hostile/../bin/sh"), "the name contains '..'"),
        (link("n", "n"), "leads to a file that the archive brought"),
        (link("one", "bin/sh"), "leads to a file that the archive brought"),
        (
            Layer::new()
                .dir("bin")
                .member(EntryType::Link, "n", |header| header.set_link_name("bin/sh").unwrap()),
            "leads to a file",
        ),
    ] {
        let packed = guest.write("links.tar", archive.end());
        let socket = world.user_socket();
        let url = "http://d/v1.41/containers/box/archive?path=/";
        let put = ["-s", "-X", "PUT", "-H", "Content-Type: application/x-tar", "--unix-socket"];
        let put = [&put[..], &[socket.to_str().unwrap(), "-T", packed.to_str().unwrap(), url]].concat();
        guest.finish(&mut guest.command("/usr/bin/curl", put.as_slice()), b"").says(&[said]);
    }
    guest.run("start box").ok();
    assert_eq!(guest.run("exec box ls /n").code, 1);
}

/// A look goes on for as long as somebody waits for it: neither one who hung up nor a container that is gone does.
fn a_look_ends_with_who_waits_for_it() {
    let world = world_alone();
    let ground = Ground::new(&world);
    let image = ground.image("endless", &[]);
    let guest = &ground.guest;
    // The other gateway has no mount helper.
    world.limit(guest, "home = \"none\"");
    let counts = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let [asked, given_up] = counts.clone();
    let gateway = world.stalled("/get ", move |comes| {
        if comes { &asked } else { &given_up }.fetch_add(1, Ordering::Relaxed);
    });
    let [asked, given_up] = counts.each_ref().map(|count| || count.load(Ordering::Relaxed));
    guest.run(["create", "--name", "box", "--network=none", &image, "true"]).ok();
    let start = || guest.spawn_command(gateway.client(guest, "start box"));
    let looking = gateway.socket().with_file_name("state").join("looking");
    let noted = || fs::read_dir(&looking).unwrap().count();
    // Two wait: one look is under way, also without the first.
    let (one, two) = (start(), start());
    assert!(eventually(|| asked() >= 1), "the engine was not asked");
    one.signal(rustix::process::Signal::KILL);
    one.finish();
    // The second may have come only now.
    assert!(eventually(|| asked() == given_up() + 1 && noted() == 1), "nobody looks for the second");
    two.signal(rustix::process::Signal::KILL);
    two.finish();
    assert!(eventually(|| asked() == given_up()), "the look goes on with nobody waiting");
    // Removed at the engine itself.
    let three = start();
    assert!(eventually(|| asked() == given_up() + 1), "the engine was not asked again");
    world.docker(["rm", "-f", &guest.engine_name("box")]).exits(0);
    assert!(eventually(|| asked() == given_up()), "the look goes on for a container that is gone");
    assert_ne!(three.finish().code, 0);
    assert!(eventually(|| noted() == 0), "what nobody waits for is under way");
    // A gateway that is stopped in the midst of a look has not died of it.
    guest.run(["create", "--name", "again", "--network=none", &image, "true"]).ok();
    let four = guest.spawn_command(gateway.client(guest, "start again"));
    assert!(eventually(|| noted() == 1), "the engine was not asked for the fourth");
    gateway.stop();
    assert!(eventually(|| noted() == 0), "its note is still there");
    four.finish();
}

/// How often the gateway says that it looked through this image.
fn told(world: &World, id: &str) -> usize {
    let said = world.gateway.said();
    said.lines().filter(|line| line.contains("looked through an image") && line.contains(id)).count()
}

fn what_was_found_outlives_the_gateway() {
    let world = world_alone();
    let ground = Ground::new(&world);
    let clean = ground.image("kept", &[]);
    let node = Layer::new().dir("d").node(EntryType::Block, "d/node", (7, 0), 0o666).end();
    let bad = format!("evil-{}:bad", ground.victim.uid);
    load_plain(&world, &bad, &[&base(&ground), &node]);
    let ids = [&clean, &bad].map(|image| world.docker(["inspect", "--format", "{{.Id}}", image]).line());
    for _ in 0..2 {
        runs(&ground, &clean);
        refused(&ground, &bad, &["device node", "/d/node"]);
        world.restart_gateway();
    }
    runs(&ground, &clean);
    assert_eq!(ids.each_ref().map(|id| told(&world, id)), [1, 1]);
    // Another way of looking would have found something else.
    let file = world.state_dir().join("images").join(ids[0].trim_start_matches("sha256:"));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"version\":2", "\"version\":1", 1)).unwrap();
    runs(&ground, &clean);
    assert_eq!(told(&world, &ids[0]), 2);
}

fn what_gateways_die_of_is_not_begun_a_third_time() {
    let world = world_alone();
    let ground = Ground::new(&world);
    let clean = ground.image("clean", &[]);
    let all = || {
        world.docker(["images", "-q", "--no-trunc"]).ok().lines().map(str::to_owned).collect::<HashSet<_>>()
    };
    let (shelf, looking) = (world.state_dir().join("images"), world.state_dir().join("looking"));
    let is_seen = |id: &String| shelf.join(id.trim_start_matches("sha256:")).exists();
    assert!(eventually(|| all().iter().all(is_seen)), "the images that are there are not looked through");
    let step = "look-begun";
    let mortal = || world.start_gateway_with(&[&format!("IE_CONTAINERD_DIE_AT={step}")]).unwrap();
    world.gateway.kill();
    mortal();
    // Nobody asked for it: it came.
    let bad = ground.image("deadly", &["LABEL deadly=1".to_owned()]);
    assert!(eventually(|| world.gateway.has_ended()), "it was not looked through");
    mortal();
    runs(&ground, &clean);
    ground.guest.run([&RUN[..], &[&bad, "true"]].concat().as_slice());
    assert!(eventually(|| world.gateway.has_ended()), "it was not looked through for who started it");
    for _ in 0..2 {
        mortal();
        refused(&ground, &bad, &["cut short 2 times by the gateway's end", looking.to_str().unwrap()]);
        runs(&ground, &clean);
        world.gateway.kill();
    }
    let id = world.docker(["inspect", "--format", "{{.Id}}", &bad]).line();
    world.start_gateway().unwrap();
    fs::remove_file(looking.join(id.trim_start_matches("sha256:"))).unwrap();
    runs(&ground, &bad);
    assert_eq!(fs::read_dir(looking).unwrap().count(), 0);
}

/// All land on one file, by way of links to where they lie; told apart, each has more than a hundred directories above it.
fn links_without_end_are_refused() {
    let world = world();
    let ground = Ground::new(&world);
    let letters: Vec<String> = ('a'..='y').map(|letter| format!("l{letter}")).collect();
    let chain = vec!["d"; 110];
    let mut layer = letters.iter().fold(Layer::new(), |layer, letter| layer.symlink(letter, "."));
    for depth in 1..=chain.len() {
        layer = layer.dir(&chain[..depth].join("/"));
    }
    for number in 0..12_000 {
        let [one, two, three] = [number, number / 25, number / 625].map(|at| &letters[at % 25]);
        layer = layer.symlink(&format!("{one}/{two}/{three}/{}/x", chain.join("/")), "f");
    }
    let name = format!("evil-{}:links", ground.victim.uid);
    load_plain(&world, &name, &[&base(&ground), &layer.end()]);
    refused(&ground, &name, &["more links, and directories with links in them, than can be looked through"]);
}

fn an_image_is_looked_through_before_anybody_starts_it() {
    let world = world();
    let ground = Ground::new(&world);
    let node = Layer::new().dir("d").node(EntryType::Block, "d/node", (7, 0), 0o666).end();
    let bad = format!("evil-{}:unstarted", ground.victim.uid);
    load_plain(&world, &bad, &[&base(&ground), &node]);
    let id = world.docker(["inspect", "--format", "{{.Id}}", &bad]).line();
    assert!(eventually(|| told(&world, &id) == 1), "nobody looked");
    // So already its create is refused.
    let create = ground.guest.run(["create", "--network=none", &bad, "true"]);
    assert!(create.says(&["device node", "/d/node"]).code != 0);
}
