//! What a look-up asks the engine for, and that it finds what there is: made and removed by whoever, heard of or not.

use crate::suite::{tests, world};
use crate::world::output::Output;
use crate::world::tools::eventually;
use crate::world::{Muffled, User, World};
use serde_json::{Value, json};

tests![
    a_look_up_names_ids_and_their_owner,
    what_is_made_and_removed_by_hand_is_there_and_gone,
    while_no_events_are_heard_nothing_is_missed,
    what_no_event_tells_is_found_by_its_name,
    a_create_without_an_answer_hides_nothing,
    a_create_that_is_refused_hides_nothing,
];

/// Somebody with a container, and a gateway whose look-ups name ids.
struct Scene<'w> {
    world: &'w World,
    ann: &'w User<'w>,
    muffled: Muffled,
    first: String,
}

impl<'w> Scene<'w> {
    fn new(world: &'w World, ann: &'w User<'w>) -> Self {
        world.limit(ann, "home = \"none\"");
        let first = ann.run("create --name first --network none busybox:test true").line();
        let scene = Self { world, ann, muffled: world.muffled(), first };
        scene.names_ids();
        scene
    }

    /// Waits until it does.
    #[track_caller]
    fn names_ids(&self) {
        let named = || {
            self.muffled.forget();
            self.list();
            self.by_label(self.ann).is_empty() && !self.by_id(self.ann).is_empty()
        };
        assert!(eventually(named), "{}", self.muffled.gateway.said());
    }

    #[track_caller]
    fn run(&self, words: &str) -> Output {
        self.ann.finish(&mut self.muffled.gateway.client(self.ann, words), b"")
    }

    /// Ann's containers by name.
    #[track_caller]
    fn list(&self) -> Vec<String> {
        let listed = self.run(r"ps -a --format {{.Names}}").ok();
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// How many of ann's count.
    #[track_caller]
    fn count(&self) -> u64 {
        let (status, body) =
            self.ann.caller_of(&self.muffled.gateway).ask("GET", "/ie/v1/quota", "").unwrap();
        assert_eq!(status, 200, "{body}");
        let quota: Value = serde_json::from_str(&body).unwrap();
        let lines = quota["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["rule"] == "containers").unwrap();
        line["used"].as_str().unwrap().parse().unwrap()
    }

    /// Lists of one user's containers that the engine was asked for.
    fn lists(&self, user: &User<'_>) -> Vec<String> {
        self.muffled.asked(&["/containers/json?", &format!("io.ie-container.uid%3D{}%22", user.uid)])
    }

    fn by_id(&self, user: &User<'_>) -> Vec<String> {
        let mut lists = self.lists(user);
        lists.retain(|line| line.contains("%22id%22"));
        lists
    }

    fn by_label(&self, user: &User<'_>) -> Vec<String> {
        let mut lists = self.lists(user);
        lists.retain(|line| !line.contains("%22id%22"));
        lists
    }

    /// As root on the engine, with the labels that the gateway would write.
    #[track_caller]
    fn make_by_hand(&self, name: &str) -> String {
        let labels = self.world.inspect(&self.first, "{{json .Config.Labels}}");
        let labels: Value = serde_json::from_str(&labels).unwrap();
        let body = json!({ "Image": "busybox:test", "Cmd": ["true"], "Labels": labels, "HostConfig": { "NetworkMode": "none" } });
        let path = format!("/containers/create?name={}", self.ann.engine_name(name));
        let (status, made) = self.world.ask_engine("POST", &path, &body.to_string());
        assert_eq!(status, 201, "{made}");
        let made: Value = serde_json::from_str(&made).unwrap();
        made["Id"].as_str().unwrap().to_owned()
    }
}

fn a_look_up_names_ids_and_their_owner() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let scene = Scene::new(&world, &ann);
    scene.run("inspect first").ok();
    let lists = scene.lists(&ann);
    assert_eq!((lists.len(), scene.by_label(&ann).len()), (2, 0), "{lists:?}");
    assert!(lists.iter().all(|line| line.contains(&scene.first)), "{lists:?}");
    // What is not among them is looked for by label, once.
    scene.muffled.forget();
    scene.run("inspect missing").fails(1);
    assert_eq!((scene.by_id(&ann).len(), scene.by_label(&ann).len()), (1, 1), "{:?}", scene.lists(&ann));
    // Who has none needs nothing of the engine to be told so.
    assert_eq!(ann.finish(&mut scene.muffled.gateway.client(&bob, "ps -aq"), b"").stdout(), "");
    assert!(scene.lists(&bob).is_empty(), "{:?}", scene.lists(&bob));
    // What was just made is among them.
    let second = scene.run("create --name second --network none busybox:test true").line();
    scene.muffled.forget();
    assert_eq!(scene.list(), ["first", "second"]);
    let named = scene.by_id(&ann);
    assert!(named.len() == 1 && named[0].contains(&second), "{:?}", scene.lists(&ann));
}

fn what_is_made_and_removed_by_hand_is_there_and_gone() {
    let world = world();
    let ann = world.newcomer("ann");
    let scene = Scene::new(&world, &ann);
    let ids = ["one", "two"].map(|name| scene.make_by_hand(name));
    // Whoever names it finds it, whatever was heard by then.
    assert_eq!(scene.run("inspect --format {{.Id}} two").line(), ids[1]);
    assert!(eventually(|| scene.list() == ["first", "one", "two"]), "{:?}", scene.list());
    assert_eq!(scene.count(), 3);
    assert!(!scene.by_id(&ann).is_empty(), "{:?}", scene.lists(&ann));
    world.docker(["rm", &ids[0]]).ok();
    assert_eq!((scene.list(), scene.count()), (vec!["first".to_owned(), "two".to_owned()], 2));
    scene.run("inspect one").fails(1);
    // Another name, by hand, is another user's container or nobody's.
    world.docker(["rename", &ids[1], &format!("by-hand-{}", ann.uid)]).ok();
    assert_eq!((scene.list(), scene.count()), (vec!["first".to_owned()], 1));
    world.docker(["rename", &ids[1], &ann.engine_name("three")]).ok();
    assert_eq!((scene.list(), scene.count()), (vec!["first".to_owned(), "three".to_owned()], 2));
}

fn while_no_events_are_heard_nothing_is_missed() {
    let world = world();
    let ann = world.newcomer("ann");
    let scene = Scene::new(&world, &ann);
    scene.muffled.break_events();
    scene.make_by_hand("deaf");
    assert_eq!((scene.list(), scene.count()), (vec!["deaf".to_owned(), "first".to_owned()], 2));
    scene.muffled.mend_events();
    scene.names_ids();
    assert_eq!((scene.list(), scene.count()), (vec!["deaf".to_owned(), "first".to_owned()], 2));
}

/// An engine drops events of which nobody takes any, and says nothing of it.
fn what_no_event_tells_is_found_by_its_name() {
    let world = world();
    let ann = world.newcomer("ann");
    let scene = Scene::new(&world, &ann);
    scene.muffled.hold_events();
    let id = scene.make_by_hand("untold");
    // Found by its name and by its id, it is known from then on.
    assert_eq!(scene.run("inspect --format {{.Id}} untold").line(), id);
    assert_eq!((scene.list(), scene.count()), (vec!["first".to_owned(), "untold".to_owned()], 2));
    let id = scene.make_by_hand("untold-too");
    scene.run(&format!("rm {}", &id[..12])).ok();
    // And by the next list of everybody's: each minute there is one.
    scene.make_by_hand("listed");
    scene.muffled.everyones();
    assert_eq!(scene.count(), 3);
    assert_eq!(scene.list(), ["first", "listed", "untold"]);
    assert!(!scene.by_id(&ann).is_empty(), "{:?}", scene.lists(&ann));
}

fn a_create_without_an_answer_hides_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let scene = Scene::new(&world, &ann);
    scene.muffled.hold_events();
    scene.muffled.lose_creates();
    assert_ne!(scene.run("create --name lost --network none busybox:test true").code, 0);
    assert_eq!((scene.list(), scene.count()), (vec!["first".to_owned(), "lost".to_owned()], 2));
    // Nor does a list help: what is not there yet may still come.
    scene.muffled.everyones();
    scene.muffled.forget();
    assert_eq!(scene.list(), ["first", "lost"]);
    assert_eq!((scene.by_id(&ann).len(), scene.by_label(&ann).len()), (0, 1), "{:?}", scene.lists(&ann));
}

fn a_create_that_is_refused_hides_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let scene = Scene::new(&world, &ann);
    scene.muffled.hold_events();
    scene.make_by_hand("taken");
    scene.run("create --name taken --network none busybox:test true").says(&["taken"]).fails(1);
    assert_eq!((scene.list(), scene.count()), (vec!["first".to_owned(), "taken".to_owned()], 2));
    // With the next list that is over.
    scene.muffled.everyones();
    scene.names_ids();
    assert_eq!((scene.list(), scene.count()), (vec!["first".to_owned(), "taken".to_owned()], 2));
}
