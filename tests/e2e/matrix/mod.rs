//! The isolation matrix: whatever is asked, in whatever form it is named, somebody else's thing and no thing at all get the
//! same answer, and the engine hears nothing of the former. `docs/isolation.md` is what this finds.

mod record;
mod table;

use crate::suite::{tests, world_alone};
use crate::world::{User, World};
use record::{Answer, Recorded};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use table::{ASKS, Ask, FORMS, Form, TYPED, Thing, VERBS};

tests![alone somebody_elses_and_nobodys_are_one];

/// One thing's names: the parts that forms are made of.
#[derive(Clone)]
struct Names {
    name: String,
    engine: String,
    id: String,
}

impl Names {
    fn of(user: &User<'_>, name: &str, id: &str) -> Self {
        Self { name: name.to_owned(), engine: user.engine_name(name), id: id.to_owned() }
    }

    fn word(&self, form: &str) -> String {
        form.chars()
            .map(|letter| match letter {
                'N' => self.name.clone(),
                'E' => self.engine.clone(),
                'I' => self.id.clone(),
                'S' => self.id[..12].to_owned(),
                'U' => self.id.to_ascii_uppercase(),
                other => other.to_string(),
            })
            .collect()
    }

    /// The text with these names taken out of it, whichever they are.
    fn without(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for part in
            [&self.engine, &self.id, &self.id.to_ascii_uppercase(), &self.id[..12].to_owned(), &self.name]
        {
            text = text.replace(part.as_str(), "WORD");
        }
        text
    }
}

/// What somebody has, of each kind.
struct Belongings(BTreeMap<Thing, Names>);

impl Belongings {
    fn names(&self, thing: Thing) -> &Names {
        &self.0[&thing]
    }

    /// `user`'s things, all of them called `name`.
    fn of(user: &User<'_>, name: &str) -> Self {
        let container = user.sleeper(name);
        let network = user.docker(["network", "create", name]).line();
        user.docker(["volume", "create", name]).exits(0);
        let exec = exec(user, name);
        Self::called(user, name, [container, network, "v".repeat(64), exec])
    }

    /// The same of nobody's.
    fn missing(user: &User<'_>, name: &str) -> Self {
        Self::called(user, name, ["d0", "d1", "d2", "d3"].map(|two| two.repeat(32)))
    }

    fn called(user: &User<'_>, name: &str, ids: [String; 4]) -> Self {
        let kinds = [Thing::Container, Thing::Network, Thing::Volume, Thing::Exec];
        Self(kinds.into_iter().zip(ids).map(|(kind, id)| (kind, Names::of(user, name, &id))).collect())
    }
}

/// An exec that was made and waits to be started.
fn exec(user: &User<'_>, container: &str) -> String {
    let (_, made) = user.raw("POST", &format!("/v1.41/containers/{container}/exec"), r#"{"Cmd":["true"]}"#);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    made["Id"].as_str().unwrap().to_owned()
}

fn request(ask: &Ask, word: &str) -> (String, String) {
    // In a filter and in a body the word stands as it is, but for what would end the string.
    let plain = word.replace("%2F", "/").replace("%0A", "\\n").replace("%00", "\\u0000");
    let plain = plain.replace("%FF", "\u{fffd}").replace("%1B", "\\u001b");
    let query = plain.replace('\\', "%5C").replace('\u{fffd}', "%EF%BF%BD").replace(['{', '}'], "");
    let path = match ask.path.split_once("filters=") {
        None => ask.path.replace("{}", word),
        Some((path, filters)) => {
            let filters = filters.replacen("{}", &query, 1);
            format!("{path}filters={}", filters.replace('{', "%7B").replace('}', "%7D").replace('"', "%22"))
        }
    };
    let version = if path.starts_with("/v1.") || path.starts_with("/ie/") { "" } else { "/v1.41" };
    (format!("{version}{path}"), ask.body.replace("{}", &plain))
}

fn somebody_elses_and_nobodys_are_one() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let anns = Belongings::of(&ann, "annsthing77");
    let nobodys = Belongings::missing(&ann, "nobodys7777");
    bob.sleeper("callers");
    bob.docker("network create callers").exits(0);
    bob.write("note", "x");
    let state = || state(&world, &anns);
    let before = state();
    let recorded = world.recorded_engine();
    let mut cases = 0;
    let mut rows = Vec::new();
    for ask in &ASKS {
        let cells: Vec<String> = FORMS
            .iter()
            .map(|form| cell(&recorded, &ann, &bob, (&anns, &nobodys), ask, form, &mut cases))
            .collect();
        rows.push((format!("{} {}", ask.method, shown(ask)), cells));
    }
    for verb in VERBS {
        for typed in TYPED {
            cases += 2;
            typed_alike(&bob, verb, typed, anns.names(Thing::Container), nobodys.names(Thing::Container));
        }
    }
    assert_eq!(state(), before, "something of ann's was changed");
    assert!(cases >= 950, "only {cases} cases");
    published(&rows, cases);
}

/// What must not change: the container and its process, the network's members, the volume, an exec that nobody started.
fn state(world: &World, anns: &Belongings) -> String {
    let container = &anns.names(Thing::Container).id;
    let network = &anns.names(Thing::Network).id;
    let volume = &anns.names(Thing::Volume).engine;
    let exec = world.engine_raw(&format!("/v1.41/exec/{}/json", anns.names(Thing::Exec).id));
    let exec: serde_json::Value = serde_json::from_str(&exec).unwrap();
    let seen = |words: &[&str]| world.docker(words).ok();
    seen(&["inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}} {{.Name}}", container])
        + &seen(&["network", "inspect", "--format", "{{.Name}} {{.Containers}}", network])
        + &seen(&["volume", "inspect", "--format", "{{.Name}}", volume])
        + &format!("{} {}", exec["Running"], exec["ExitCode"])
}

/// Asks for ann's and for nobody's as bob, and for ann's as ann; says what came of it.
fn cell(
    recorded: &Recorded<'_>,
    ann: &User<'_>,
    bob: &User<'_>,
    (anns, nobodys): (&Belongings, &Belongings),
    ask: &Ask,
    form: &Form,
    cases: &mut usize,
) -> String {
    let (anns, nobodys) = (anns.names(ask.thing), nobodys.names(ask.thing));
    let asked = |user: &User<'_>, names: &Names| -> Answer {
        let (path, body) = request(ask, &names.word(form.word));
        recorded.ask(user, ask.method, &path, &body)
    };
    *cases += 2;
    recorded.forget();
    let foreign = asked(bob, anns);
    // There is no list of execs to look one up in: the engine is asked whose it is, and no more.
    let looked_up = format!("GET /v{}/exec/{}/json HTTP/1.1", recorded.version, anns.id);
    let heard = recorded.heard_of(&[&anns.id, &anns.engine], &looked_up);
    assert_eq!(heard, Vec::<String>::new(), "{} {} for {}", ask.method, ask.path, form.shown);
    let missing = asked(bob, nobodys);
    let told = |answer: &Answer, names: &Names| (answer.status, names.without(&answer.body));
    let what = format!("{} {} by {}", ask.method, ask.path, form.shown);
    assert_eq!(told(&foreign, anns), told(&missing, nobodys), "{what}");
    assert!(!foreign.body.contains("\u{1b}"), "{what}: {}", foreign.body);
    if !(ask.own && applies(ask, form)) {
        return missing.status.to_string();
    }
    *cases += 1;
    let own = asked(ann, anns);
    let lists = ask.path.contains("filters=");
    if lists {
        assert_eq!(own.status, if form.names { 200 } else { missing.status }, "{what}: {}", own.body);
    } else {
        assert_eq!(own.status != missing.status, names(ask, form), "{what}: {} {}", own.status, own.body);
    }
    format!("{} / {}", own.status, missing.status)
}

/// Whether an owner names it so.
fn names(ask: &Ask, form: &Form) -> bool {
    match ask.thing {
        Thing::Container => form.names,
        Thing::Network => matches!(form.word, "N" | "I" | "S"),
        Thing::Volume => form.word == "N",
        Thing::Exec => form.word == "I",
    }
}

/// Whether the form says something of its own here: a volume's and an exec's other forms are forms of no name.
fn applies(ask: &Ask, form: &Form) -> bool {
    !ask.path.contains("filters=") || matches!(form.word, "N" | "I") && ask.thing == Thing::Container
}

fn typed_alike(bob: &User<'_>, verb: &str, typed: &str, anns: &Names, nobodys: &Names) {
    let told = |names: &Names| {
        let words: Vec<String> = verb.split(' ').map(|word| word.replace("{}", &names.word(typed))).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = bob.run(words.as_slice());
        (output.code, names.without(&output.stdout()), names.without(&output.stderr))
    };
    let (foreign, missing) = (told(anns), told(nobodys));
    assert_eq!(foreign, missing, "{verb} with {typed:?}");
    assert!(foreign.0 != 0 || verb.starts_with("rm -f"), "{verb} with {typed:?}");
}

fn shown(ask: &Ask) -> String {
    let path = ask.path.replace("{}", "WORD");
    if ask.body.contains("{}") { format!("{path} {}", ask.body.replace("{}", "WORD")) } else { path }
}

/// Holds the page to what was found, or writes it.
fn published(rows: &[(String, Vec<String>)], cases: usize) {
    let mut text = format!(
        "# Isolation\n\n\
         What the API answers when something is named in each of these forms. A cell is the status for somebody else's thing \
         and\nfor one that does not exist, which is the same status with the same text; where there are two, the first is the \
         owner's\nown answer. In none of these cases did the engine hear a word of the thing that was asked for, but whose an \
         exec\nis, as there is no list to look that up in. The client's \
         {} verbs\nare asked with {} typed forms each, with the same codes and the same words for both.\n\n\
         {cases} cases, by `e2e::matrix::somebody_elses_and_nobodys_are_one` (`tests/e2e/matrix/table.rs` is the table it asks \
         by;\n`IE_WRITE_DOCS=1` writes this page anew).\n\n",
        VERBS.len(),
        TYPED.len()
    );
    let heads: Vec<&str> = FORMS.iter().map(|form| form.shown).collect();
    writeln!(text, "| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len())).unwrap();
    for (asked, cells) in rows {
        writeln!(text, "| `{asked}` | {} |", cells.join(" | ")).unwrap();
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/isolation.md");
    if std::env::var_os("IE_WRITE_DOCS").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&page).is_ok_and(|there| there == text),
        "docs/isolation.md is not what was found:\n{text}"
    );
}
