//! Names of images and the bounds of what is told of them, by hand.

use super::*;

#[test]
fn short_forms_are_expanded_as_docker_does() {
    for (word, reference) in [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        ("pytorch/pytorch", "docker.io/pytorch/pytorch:latest"),
        ("nvcr.io/nvidia/cuda:12", "nvcr.io/nvidia/cuda:12"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
    ] {
        assert_eq!(full(word).unwrap(), reference);
        assert_eq!(familiar(word, reference), word);
    }
    for long in ["docker.io/library/a/b:1", "docker.io/a.b/c:1", "docker.io/library/localhost/c:1"] {
        assert_eq!(full(&familiar(long, &full(long).unwrap())).unwrap(), long, "shown as another image");
    }
    for bad in ["", "UPPER", "a b", "../x", "x\n", "http://x/y"] {
        assert!(full(bad).is_err(), "{bad:?}");
    }
    let long = format!("x/{}", "\u{80}".repeat(1 << 20));
    assert!(full(&long).unwrap_err().to_string().len() < 8192);
    assert!(full(&format!("x/{}", "y".repeat(600))).is_err());
}

#[test]
fn the_gateways_own_names_are_nobody_elses() {
    let digest = format!("localhost/ie-container/empty@sha256:{}", "0f".repeat(32));
    for word in [
        "localhost/ie-container/empty:1",
        "localhost/ie-container/empty",
        "localhost/ie-container/a/b:2",
        &digest,
    ] {
        let said = full(word).unwrap_err().to_string();
        assert!(said.contains("kept for the gateway's own images"), "{word}: {said}");
    }
    for word in ["localhost/ie-containers/x:1", "localhost:5000/ie-container/x:1", "ie-container/empty:1"] {
        assert!(full(word).is_ok(), "{word}");
    }
    // By its id neither: it answers to no name that counts.
    let image = serde_json::json!({"RepoTags": ["localhost/ie-container/empty:1", "ann/box:2"]});
    assert_eq!(references(&image), ["docker.io/ann/box:2"]);
}

#[test]
fn an_image_says_only_so_much() {
    let many = |count: usize| -> Value { (0..count).map(|n| (n.to_string(), Value::Null)).collect() };
    assert_eq!(too_heavy(&Value::Null), None);
    let usual =
        serde_json::json!({"Cmd": ["sh"], "Labels": many(256), "ExposedPorts": many(256), "Env": ["A=1"]});
    assert_eq!(too_heavy(&usual), None);
    for (config, why) in [
        (serde_json::json!({"Labels": many(257)}), "it has 257 labels, the most is 256"),
        (serde_json::json!({"ExposedPorts": many(65535)}), "it has 65535 ports, the most is 256"),
        (serde_json::json!({"Cmd": ["\u{1}".repeat(MOST_BYTES / 6)]}), "the most is 131072"),
        (serde_json::json!({"Entrypoint": vec!["x"; MOST_BYTES / 3]}), "the most is 131072"),
    ] {
        assert!(too_heavy(&config).unwrap().to_string().contains(why), "{why}");
    }
}
